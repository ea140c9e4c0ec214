package federation

import "testing"

// TestPromptsAreThoseThatTheProviderKnows: one that meets a value it does not
// know refuses the whole request.
func TestPromptsAreThoseThatTheProviderKnows(t *testing.T) {
	for kind, want := range map[Kind][4]string{ // for nothing, choose, other, anew
		OIDC:      {"", "", "login", "login"},
		Google:    {"", "select_account", "select_account", "select_account"},
		Microsoft: {"", "select_account", "select_account", "login"},
		GitHub:    {"", "select_account", "select_account", "select_account"},
		Apple:     {"", "", "", ""},
		Facebook:  {"", "", "", ""},
	} {
		for i, w := range []wish{"", choose, other, anew} {
			if got := w.prompt(kind); got != want[i] {
				t.Errorf("%s: the wish %q becomes %q, want %q", kind, w, got, want[i])
			}
		}
	}
}
