package authorize

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-id/portico/pkg/protocol"
)

// Bounds of what a request says about the person and the page.
const (
	maxNonce     = 1024 // bytes; it comes back in the ID token
	maxLoginHint = 512
	maxProvider  = 64
	maxListText  = 1024
	maxListItems = 20
	// maxAgeDays is the longest max_age that is kept; a longer one demands
	// nothing that any session could break.
	maxAgeSeconds = 10 * 365 * 24 * 60 * 60
)

var prompts = []string{
	protocol.PromptNone, protocol.PromptLogin, protocol.PromptConsent, protocol.PromptSelectAccount, protocol.PromptCreate,
}

var displays = []string{"page", "popup", "touch", "wap"}

func (h *Handler) readNonce(_ context.Context, rq *request) error {
	nonce := rq.get(protocol.Nonce)
	if len(nonce) > maxNonce {
		return invalid("The nonce is too long.").Compare(protocol.Nonce, "at most 1024 bytes", strconv.Itoa(len(nonce)))
	}
	rq.q.Nonce = nonce
	return nil
}

func (h *Handler) readPrompt(_ context.Context, rq *request) error {
	raw := rq.get(protocol.Prompt)
	if raw == "" {
		return nil
	}
	var out []string
	for v := range strings.SplitSeq(raw, " ") {
		if !slices.Contains(prompts, v) {
			return invalid("The prompt is not known.").Compare(protocol.Prompt, strings.Join(prompts, ", "), v)
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	if len(out) > 1 && slices.Contains(out, promptNone) {
		return invalid("prompt=none goes with no other value.").Compare(protocol.Prompt, promptNone, raw)
	}
	rq.q.Prompt = out
	return nil
}

// readMaxAge keeps 0, which demands a fresh login, apart from an absent value
// (OIDC Core §3.1.2.1). The client's default stands in for an absent one.
func (h *Handler) readMaxAge(_ context.Context, rq *request) error {
	raw := rq.get(protocol.MaxAge)
	if raw == "" {
		rq.q.MaxAge = rq.client.DefaultMaxAge
		return nil
	}
	for i := range len(raw) {
		if raw[i] < '0' || raw[i] > '9' {
			return invalid("max_age is not a number of seconds.").Compare(protocol.MaxAge, "digits only", raw)
		}
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n > maxAgeSeconds {
		n = maxAgeSeconds
	}
	rq.q.MaxAge = &n
	return nil
}

func (h *Handler) readDisplay(_ context.Context, rq *request) error {
	v := rq.get(protocol.Display)
	if v != "" && !slices.Contains(displays, v) {
		return invalid("The display is not known.").Compare(protocol.Display, strings.Join(displays, ", "), v)
	}
	return nil
}

// readACRValues keeps the classes of which the request wants one. A person who
// did not reach any is asked for more (RFC 9470 §4); what was reached is told
// in acr, truthfully.
func (h *Handler) readACRValues(_ context.Context, rq *request) error {
	values, ok := list(rq.get(protocol.ACRValues))
	if !ok {
		return invalid("acr_values is too long.").Compare(protocol.ACRValues, "at most 20 values of 1024 bytes in all", "")
	}
	if len(values) == 0 {
		values = rq.client.DefaultACRValues
	}
	rq.q.ACRValues = values
	return nil
}

func (h *Handler) readLoginHint(_ context.Context, rq *request) error {
	hint := rq.get(protocol.LoginHint)
	if len(hint) > maxLoginHint {
		return invalid("The login hint is too long.").Compare(protocol.LoginHint, "at most 512 bytes", strconv.Itoa(len(hint)))
	}
	rq.q.LoginHint = hint
	return nil
}

// readUILocales keeps every tag: one that nobody speaks is passed over when
// the language is chosen, and is no error (OIDC Core §3.1.2.1).
func (h *Handler) readUILocales(_ context.Context, rq *request) error {
	tags, ok := list(rq.get(protocol.UILocales))
	if !ok {
		return invalid("ui_locales is too long.").Compare(protocol.UILocales, "at most 20 tags of 1024 bytes in all", "")
	}
	rq.q.UILocales = tags
	return nil
}

// list splits a space-separated list within our bounds.
func list(raw string) ([]string, bool) {
	if len(raw) > maxListText {
		return nil, false
	}
	out := strings.Fields(raw)
	return out, len(out) <= maxListItems
}

// readProvider keeps the id of the place where the person is to sign in, when
// it looks like one: what is not known here is no reason to refuse, because
// the hint opens nothing.
func (h *Handler) readProvider(_ context.Context, rq *request) error {
	hint := rq.get(protocol.Provider)
	if len(hint) <= maxProvider && strings.Trim(hint, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "" {
		rq.q.Provider = hint
	}
	return nil
}
