package storagetest

import (
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/fault"
)

func openConfirmation(t *testing.T, open OpenDurable) {
	s := open(t).Confirmations
	for _, c := range []confirm.Confirmation{
		newConfirmation("first", "alice", confirm.ChangeEmail), newConfirmation("second", "alice", confirm.ChangeEmail),
		newConfirmation("proof", "alice", confirm.VerifyEmail), newConfirmation("bob's", "bob", confirm.ChangeEmail),
		newConfirmation("spent", "carol", confirm.ChangeEmail), newConfirmation("nobody's", "", confirm.ChangeEmail),
	} {
		must(t, s.Create(t.Context(), c))
	}
	must(t, s.Use(t.Context(), "spent", epoch))
	got, err := s.OpenOf(t.Context(), "alice", confirm.ChangeEmail, epoch)
	must(t, err)
	same(t, "OpenOf", got, newConfirmation("second", "alice", confirm.ChangeEmail))
	for _, tt := range []struct {
		why    string
		userID string
		p      confirm.Purpose
		now    time.Time
	}{
		{"another purpose", "alice", confirm.ResetPassword, epoch},
		{"too old", "alice", confirm.ChangeEmail, epoch.Add(time.Hour)},
		{"spent", "carol", confirm.ChangeEmail, epoch},
		{"nobody", "", confirm.ChangeEmail, epoch},
		{"a broken id", "\x00", confirm.ChangeEmail, epoch},
	} {
		_, err := s.OpenOf(t.Context(), tt.userID, tt.p, tt.now)
		wantKind(t, tt.why, err, fault.NotFound)
	}
}
