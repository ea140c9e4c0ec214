package authorize

import (
	"context"

	"github.com/portico-id/portico/pkg/protocol"
)

// thumbprintLen is the length of a SHA-256 value in base64url.
const thumbprintLen = 43

// readChallenge takes S256 only. A challenge without a method would be plain
// (RFC 7636 §4.3), which proves nothing to who can read the request.
func (h *Handler) readChallenge(_ context.Context, rq *request) error {
	challenge, method := rq.get(protocol.CodeChallenge), rq.get(protocol.CodeChallengeMethod)
	switch {
	case challenge == "" && method == "":
		return nil
	case challenge == "":
		return invalid("The request has a code challenge method but no code challenge.").
			Compare(protocol.CodeChallenge, "43 characters", "")
	case method != protocol.ChallengeS256:
		return invalid("The code challenge method must be S256.").
			Compare(protocol.CodeChallengeMethod, protocol.ChallengeS256, method)
	case !sha256Text(challenge):
		return invalid("The code challenge is malformed.").Under("RFC 7636 §4.2 the challenge is the base64url of a SHA-256 value").
			Compare(protocol.CodeChallenge, "43 characters of base64url without padding", challenge)
	}
	rq.q.Challenge = challenge
	return nil
}

func (h *Handler) requireChallenge(_ context.Context, rq *request) error {
	if rq.q.Challenge != "" || !h.pkce && !rq.client.PKCERequired() {
		return nil
	}
	return invalid("A code challenge is required (PKCE).").
		Compare(protocol.CodeChallenge, "present", "").
		WithHint("Switch PKCE with S256 on in the application. An operator may let a confidential client go without, unless PORTICO_PKCE is required.")
}

// readProofKey keeps the key that the code will be bound to.
func (h *Handler) readProofKey(_ context.Context, rq *request) error {
	jkt := rq.get("dpop_jkt")
	if jkt != "" && !sha256Text(jkt) {
		return invalid("dpop_jkt is malformed.").Compare("dpop_jkt", "43 characters of base64url without padding", jkt)
	}
	rq.q.DPoPKey = jkt
	return nil
}

// sha256Text reports whether s has the shape of a SHA-256 value in base64url.
func sha256Text(s string) bool {
	if len(s) != thumbprintLen {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
