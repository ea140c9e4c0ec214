package factor

import (
	"context"
	"net/http"

	"github.com/portico-id/portico/pkg/account/room"
	"github.com/portico-id/portico/pkg/protocol"
)

// Counter counts recovery codes. recoverycode.Service is one.
type Counter interface {
	// Left returns how many unused ones a person has.
	Left(ctx context.Context, userID string) (int, error)
}

// Onward leads people on who just got a factor: to recovery codes when they
// have none, so that nobody is stranded who loses it; else back.
type Onward struct {
	Rooms *room.Keeper
	Codes Counter // nil: there are none
}

// Lead answers after a factor was added on the page of the path.
func (o *Onward) Lead(w http.ResponseWriter, r *http.Request, v *room.Visitor, path, code string) error {
	if o.Codes == nil {
		return o.Rooms.Done(w, r, v, path, code)
	}
	left, err := o.Codes.Left(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	if left == 0 {
		return o.Rooms.Kit.SeeOther(w, r, v.At(protocol.PathAccountCodes))
	}
	return o.Rooms.Done(w, r, v, path, code)
}
