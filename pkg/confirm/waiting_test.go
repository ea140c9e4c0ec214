package confirm_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/porticotest/stage"
)

func TestWaitingIsWhatIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage.New(t)
		asked := signUp(t, s)
		c, err := s.Confirmations.Waiting(ctx, confirm.SignUp, asked.ID)
		if err != nil || c.Email != "cleo@example.test" {
			t.Fatalf("Waiting = %+v, %v", c, err)
		}
		for name, look := range map[string]func() (*confirm.Confirmation, error){
			"no id":   func() (*confirm.Confirmation, error) { return s.Confirmations.Waiting(ctx, confirm.SignUp, "") },
			"unknown": func() (*confirm.Confirmation, error) { return s.Confirmations.Waiting(ctx, confirm.SignUp, "x") },
			"another purpose": func() (*confirm.Confirmation, error) {
				return s.Confirmations.Waiting(ctx, confirm.Invitation, asked.ID)
			},
			"the link": func() (*confirm.Confirmation, error) { return s.Confirmations.Waiting(ctx, confirm.SignUp, asked.Link) },
		} {
			c, err := look()
			wantOver(t, name, c, err)
		}
		time.Sleep(30 * time.Minute)
		c, err = s.Confirmations.Waiting(ctx, confirm.SignUp, asked.ID)
		wantOver(t, "too old", c, err)
	})
}
