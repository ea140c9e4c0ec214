package authorize

import (
	"context"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/claims"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// readHint takes an ID token that we issued to this client. It may have
// expired: it says who is expected, and opens nothing. Anything else is
// refused, because a hint that is ignored would let the wrong person answer.
func (h *Handler) readHint(_ context.Context, rq *request) error {
	raw := rq.get(protocol.IDTokenHint)
	if raw == "" {
		return nil
	}
	payload, header, err := h.hints.VerifyHint(raw)
	if err != nil {
		if fault.Is(err, fault.Unauthenticated) {
			return badHint("signature", "one of ours", "").Because(err)
		}
		return err
	}
	if header.Typ != "" && header.Typ != protocol.TypeJWT {
		return badHint("typ", protocol.TypeJWT, header.Typ)
	}
	t, err := claims.ReadHint(payload)
	if err != nil {
		return badHint("payload", "the claims of an ID token", "").Because(err)
	}
	switch {
	case t.Issuer != h.issuer:
		return badHint("iss", h.issuer, t.Issuer)
	case !slices.Contains(t.Audience, rq.client.ID):
		return badHint("aud", rq.client.ID, first(t.Audience))
	case t.Subject == "":
		return badHint("sub", "present", "")
	}
	rq.q.HintSubject, rq.q.HintSession = t.Subject, t.Session
	return nil
}

func badHint(name, want, got string) *fault.Error {
	return invalid("The id_token_hint is not an ID token of this server for this client.").Compare(name, want, got)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// readClaims keeps what the client may know of the person. Without openid the
// parameter means nothing, but must still be well formed.
func (h *Handler) readClaims(_ context.Context, rq *request) error {
	asked, err := claims.Parse(rq.get(protocol.Claims))
	if err != nil || asked == nil || !rq.openid {
		return err
	}
	if err := wantedACR(rq, asked.IDToken["acr"]); err != nil {
		return err
	}
	if err := wantedSubject(rq, asked.IDToken["sub"]); err != nil {
		return err
	}
	rq.q.Claims = asked.Within(rq.client.MayAsk).String()
	return nil
}

// wantedACR takes the classes that the acr of the ID token may have as if
// acr_values had named them (OIDC Core §5.5.1.1). When none of them can be
// reached and one must be, the request fails.
func wantedACR(rq *request, acr *claims.Claim) error {
	wanted := acr.Texts()
	if acr == nil || len(wanted) == 0 {
		return nil
	}
	if acr.Essential && !slices.ContainsFunc(wanted, assurance.Known) {
		return fault.New(fault.Denied, protocol.ErrUnmetAuthenticationRequirements, "The requested authentication context cannot be reached.").
			Under("OIDC Core §5.5.1.1 an essential acr is reached").Compare("acr", strings.Join(assurance.Classes(), " "), wanted[0])
	}
	if acr.Essential || len(rq.q.ACRValues) == 0 {
		rq.q.ACRValues = wanted
	}
	return nil
}

// wantedSubject treats a sub that the ID token must have like a hint: only
// that person may answer (OIDC Core §3.1.2.2, §5.5.1).
func wantedSubject(rq *request, sub *claims.Claim) error {
	wanted := sub.Texts()
	if len(wanted) == 0 {
		return nil
	}
	if len(wanted) > 1 || rq.q.HintSubject != "" && rq.q.HintSubject != wanted[0] {
		return invalid("The request names two persons.").
			Under("OIDC Core §5.5.1 sub names one person, the one of id_token_hint").Compare("sub", rq.q.HintSubject, wanted[0])
	}
	rq.q.HintSubject = wanted[0]
	return nil
}
