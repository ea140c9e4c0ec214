package login

import (
	"context"

	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/login/visit"
	"github.com/portico-id/portico/pkg/user"
)

// Directories know people who have no password here. The same form asks for
// theirs.
type Directories interface {
	// Any reports whether one of those that are allowed is asked at all. A way
	// is the id of a provider.
	Any(ctx context.Context, allows func(way string) bool) (bool, error)
	// Authenticate returns who has the name and the password there. Faults:
	// Unauthenticated for every reason of the directories; Unavailable with the
	// code CodeDirectory when one cannot be asked; Denied when the password was
	// right and the person is not let in here.
	Authenticate(ctx context.Context, allows func(way string) bool, name, plain string) (*Arrival, error)
	// Lookup spends what Authenticate spends for a name that nobody has there.
	Lookup(ctx context.Context, allows func(way string) bool, name string) error
	// Down returns what Lookup would, when it is known without asking that one
	// of them does not answer.
	Down(ctx context.Context, allows func(way string) bool) error
}

// CodeDirectory is the code of a directory that does not answer.
const CodeDirectory = "directory_unavailable"

// Arrival is somebody whose password was right.
type Arrival struct {
	// User is nil when there is a Link.
	User *user.User
	// Upstream is the directory that the password is of; nil: it is ours.
	Upstream *flow.Upstream
	// Link says that the account with their address is not tied to the
	// directory yet, which Elsewhere names: whose it is has to sign in to it once.
	Link      *flow.Link
	Elsewhere *flow.Elsewhere
}

// id is that of the account; empty: there is none yet.
func (a *Arrival) id() string {
	if a.User == nil {
		return ""
	}
	return a.User.ID
}

// verdict is what came of looking at a password.
type verdict struct {
	*Arrival
	// reason is why it does not count, for the operator; empty: it does.
	reason string
	// because is what a directory says about that.
	because *fault.Error
	// down is set when somebody else of that name would have been told that a
	// directory does not answer: then everybody is.
	down error
}

// verify looks at a password. It spends the same for people who exist, who do
// not, and who are disabled, wherever they would be known: with directories,
// each attempt costs a hash here and a question there, at once.
//
// Whoever has a password here is asked for that one: a directory never sees
// it. An application that allows directories only gets no password of ours.
func (h *Handler) verify(ctx context.Context, v *visit.Visit, u *user.User, name, plain string) (verdict, error) {
	allows := waysOf(v)
	here, elsewhere := allows(client.WayLocal), false
	if h.Directories != nil {
		var err error
		if elsewhere, err = h.Directories.Any(ctx, allows); err != nil {
			return verdict{}, err
		}
	}
	switch {
	case !elsewhere && here:
		return h.local(ctx, u, plain)
	case !elsewhere:
		return verdict{reason: reasonWay}, h.Passwords.VerifyNobody(ctx, plain)
	case here:
		id := ""
		if u != nil {
			id = u.ID
		}
		has, err := h.Passwords.Has(ctx, id)
		if err != nil {
			return verdict{}, err
		}
		if u != nil && has {
			return h.localBeside(ctx, u, allows, name, plain)
		}
	}
	return h.elsewhere(ctx, allows, name, plain)
}

// waysOf returns which ways the application allows; pages of ours allow all.
func waysOf(v *visit.Visit) func(way string) bool {
	return func(way string) bool { return v.Client == nil || v.Client.Allows(way) }
}

// silence returns the answer that hides a refusal while a directory does not
// answer, or nil. People of the directory are told that it is down, however
// often they come; if those who have a password here were told after some
// guesses that there were too many, everybody could tell them apart.
func (h *Handler) silence(ctx context.Context, v *visit.Visit) error {
	if h.Directories == nil {
		return nil
	}
	return h.Directories.Down(ctx, waysOf(v))
}

// local verifies a password of ours, of nobody if need be.
func (h *Handler) local(ctx context.Context, u *user.User, plain string) (verdict, error) {
	if u == nil {
		return verdict{reason: reasonUnknown}, h.Passwords.VerifyNobody(ctx, plain)
	}
	right, err := h.Passwords.Verify(ctx, u.ID, plain)
	switch {
	case err != nil:
		return verdict{}, err
	case !right:
		return verdict{reason: reasonWrong}, nil
	case u.Disabled:
		return verdict{reason: reasonDisabled}, nil
	}
	return verdict{Arrival: &Arrival{User: u}}, nil
}

// localBeside verifies a password of ours while the directories are asked
// about the name, without it. Whoever is right does not wait for them.
func (h *Handler) localBeside(ctx context.Context, u *user.User, allows func(string) bool, name, plain string) (verdict, error) {
	asking, stop := context.WithCancel(ctx)
	defer stop()
	asked := make(chan error, 1)
	go func() { asked <- h.Directories.Lookup(asking, allows, name) }()
	found, err := h.local(ctx, u, plain)
	if err != nil || found.reason == "" {
		return found, err
	}
	if err := <-asked; fault.Is(err, fault.Unavailable) {
		found.down = err
	}
	return found, nil
}

// elsewhere asks the directories while a hash is spent here.
func (h *Handler) elsewhere(ctx context.Context, allows func(string) bool, name, plain string) (verdict, error) {
	spent := make(chan error, 1)
	go func() { spent <- h.Passwords.VerifyNobody(ctx, plain) }()
	arrival, err := h.Directories.Authenticate(ctx, allows, name, plain)
	crowded := <-spent
	switch {
	case fault.Is(err, fault.Unauthenticated) && crowded != nil:
		return verdict{}, crowded
	case fault.Is(err, fault.Unauthenticated):
		return verdict{reason: reasonElsewhere, because: fault.As(err)}, nil
	case err != nil:
		return verdict{}, err
	case arrival.User != nil && arrival.User.Disabled:
		return verdict{reason: reasonDisabled}, nil
	}
	return verdict{Arrival: arrival}, nil
}
