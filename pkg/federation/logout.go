package federation

import (
	"context"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// maxLogout bounds for how long a logout token may count.
const maxLogout = time.Hour

// LogoutToken implements Upstream (OIDC Back-Channel Logout §2.6).
func (o *openID) LogoutToken(ctx context.Context, raw string) (*Logout, error) {
	jws, err := parse(raw)
	if err != nil {
		return nil, badLogout("OIDC Back-Channel Logout §2.6 step 2 the token is signed by an algorithm that is taken").Because(err)
	}
	if typ, there := jws.Signatures[0].Header.ExtraHeaders["typ"]; there && !logoutType(typ) {
		return nil, badLogout("OIDC Back-Channel Logout §2.4 typ, when there, is logout+jwt")
	}
	m, err := o.meta.get(ctx)
	if err != nil {
		return nil, err
	}
	verifier, keys := o.verifier(m)
	token, err := verifier.VerifyLogout(ctx, raw)
	claims, err := o.checked(token, keys, err)
	if err == nil {
		err = o.about(m, claims)
	}
	if fault.Is(err, fault.Denied) {
		return nil, badLogout("OIDC Back-Channel Logout §2.6 the token is the provider's, for us and for now").Because(err)
	} else if err != nil {
		return nil, err
	}
	return readLogout(claims)
}

// logoutType compares the type of a token (RFC 7515 §4.1.9: in any case of
// letters, with or without application/). JWT is what earlier drafts left.
func logoutType(v any) bool {
	typ, _ := v.(string)
	switch strings.ToLower(typ) {
	case "logout+jwt", "application/logout+jwt", "jwt":
		return true
	}
	return false
}

// readLogout reads the claims of a token whose signature holds.
func readLogout(claims map[string]any) (*Logout, error) {
	events, _ := claims["events"].(map[string]any)
	if _, ok := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any); !ok {
		return nil, badLogout("OIDC Back-Channel Logout §2.6 step 6 events say that it is a logout")
	}
	if _, there := claims["nonce"]; there {
		return nil, badLogout("OIDC Back-Channel Logout §2.6 step 7 a logout token has no nonce")
	}
	l := &Logout{}
	l.Issuer, _ = claims["iss"].(string)
	l.Subject, _ = claims["sub"].(string)
	l.Session, _ = claims["sid"].(string)
	l.ID, _ = claims["jti"].(string)
	l.IssuedAt, _ = moment(claims["iat"])
	l.ExpiresAt, _ = moment(claims["exp"])
	switch {
	case l.Subject == "" && l.Session == "", len(l.Subject) > maxSubject, len(l.Session) > maxSubject:
		return nil, badLogout("OIDC Back-Channel Logout §2.6 step 5 sub or sid say who")
	case l.ID == "", len(l.ID) > maxSubject:
		return nil, badLogout("OIDC Back-Channel Logout §2.4 jti names the token")
	case l.ExpiresAt.After(clock.Now().Add(maxLogout)):
		return nil, badLogout("OIDC Back-Channel Logout §4 the token is short-lived")
	}
	return l, nil
}

// badLogout is a logout token that is not taken (OIDC Back-Channel Logout
// §2.8).
func badLogout(rule string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, "The logout token cannot be taken.").Under(rule)
}

// Logout takes a back-channel logout token of the provider: it ends every
// session here that came from the subject or session there, each token once.
// Faults: NotFound when there is no such provider; Invalid when the token is
// not to be trusted, or was taken already; Unavailable when that cannot be
// told, or the end cannot be made to hold.
func (s *Service) Logout(ctx context.Context, providerID, raw string) error {
	up, p, err := s.Upstream(ctx, providerID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	l, err := up.LogoutToken(ctx, raw)
	if err != nil {
		return err
	}
	err = s.Replay.Claim(ctx, "provider logout "+p.ID, l.ID, l.IssuedAt, l.ExpiresAt.Add(skew), clock.Now())
	if fault.Is(err, fault.Conflict) {
		return badLogout("OIDC Back-Channel Logout §2.6 step 8 a token is taken once").Because(err)
	} else if err != nil {
		return err
	}
	if err := s.endFrom(ctx, l.Issuer, l.Subject, l.Session, "", "signed out at the provider"); err != nil {
		return err
	}
	s.Audit.Record(ctx, audit.Event{Name: audit.UpstreamLogout, Data: map[string]string{"provider": p.ID}})
	return nil
}
