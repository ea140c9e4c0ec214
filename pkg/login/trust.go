package login

import (
	"net/http"

	"github.com/portico-id/portico/pkg/user"
)

// Trust counts the browser as one that the person has used before, with no
// failures: they have just proven otherwise that the account is theirs. It
// signs nobody in. Without it who guessed at their own password until they
// gave up would wait at the new one.
func (h *Handler) Trust(w http.ResponseWriter, r *http.Request, userID string) error {
	d := h.device(r)
	key := h.brake.within(h.brake.account(&user.User{ID: userID}, ""), d)
	if err := h.Gate.Store.Reset(r.Context(), h.Rules.LoginAccount, key); err != nil {
		return err
	}
	h.Kit.Cookies.SetKnown(w, d.with(userID))
	return nil
}

// CounterKey names the counter of a person's failures in this browser: those
// that they used before share one of their own, so that strangers cannot keep
// them out of it. They share it because a browser becomes one of them by a
// link to the mailbox too (Trust): who reads the mail must not get a new count
// with every link.
func (h *Handler) CounterKey(r *http.Request, userID string) string {
	account := h.brake.account(&user.User{ID: userID}, "")
	if h.device(r).knows(userID) {
		return account + " known"
	}
	return account
}
