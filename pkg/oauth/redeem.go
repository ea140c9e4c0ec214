package oauth

import (
	"context"
	"net/url"
	"strings"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/trail"
)

// Reasons of a revocation that the engine decides itself.
const (
	reasonCodeReused    = "code_reused"
	reasonRefreshReused = "refresh_reused"
)

// A rule looks at one demand on a token request and either passes or returns
// the fault to answer. A later rule may rely on every earlier one.
type rule struct {
	rule string
	run  func(ctx context.Context, r *run, form url.Values) *fault.Error
}

// codeRules decide whether a code may be redeemed by this request. None of
// them spends anything.
var codeRules = []rule{
	{"RFC 6749 §4.1.3 the code was issued to this client", codeOfClient},
	{"RFC 6749 §4.1.2 the code is used once", codeUnused},
	{"RFC 6749 §4.1.2 the code has not expired", codeFresh},
	{"RFC 6749 §4.1.2 the grant behind the code stands", grantStands},
	{"RFC 6749 §4.1.3 redirect_uri is the one of the authorization request", sameRedirect},
	{"RFC 7636 §4.6 the verifier matches the challenge", proofOfCode},
	{"RFC 9449 §10 the key is the one the code is bound to", noBoundKey},
}

// prepareCode reads the grant behind the code, once, and decides. The code of
// another client or of nobody looks the same from outside.
func (r *run) prepareCode(ctx context.Context, form url.Values) error {
	code := form.Get(protocol.Code)
	if code == "" {
		return missing(protocol.Code)
	}
	hash := r.p.grants.CodeHash(code)
	if hash == "" {
		return badCode("RFC 6749 §5.2 the code is one of ours").Compare(protocol.Code, "a code of this server", "another shape")
	}
	g, err := r.p.grants.Store().ByCode(ctx, hash)
	switch {
	case fault.Is(err, fault.NotFound):
		return badCode("RFC 6749 §5.2 the code is known").Because(err).WithHint("the code was never issued here, or its grant is long over")
	case err != nil:
		return err
	}
	r.grant = &g
	trail.Set(ctx, "grant", g.ID)
	if err := r.apply(ctx, codeRules, form); err != nil {
		return err
	}
	return r.decidePersonal(ctx, form)
}

// apply runs the rules in their order.
func (r *run) apply(ctx context.Context, rules []rule, form url.Values) error {
	for _, k := range rules {
		if f := k.run(ctx, r, form); f != nil {
			if f.Rule == "" {
				f = f.Under(k.rule)
			}
			return f
		}
	}
	return nil
}

func badGrant(say string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidGrant, say)
}

func badCode(rule string) *fault.Error {
	return badGrant("The authorization code is not valid.").Under(rule)
}

// codeOfClient comes first: somebody else's attempt must not end the honest
// client's grant, not even with a spent code.
func codeOfClient(_ context.Context, r *run, _ url.Values) *fault.Error {
	if r.grant.ClientID != r.client.ID {
		return badCode("").Compare(protocol.ClientID, r.grant.ClientID, r.client.ID)
	}
	return nil
}

// codeUnused ends the family of a code that comes a second time: one of the
// two who had it should not have.
func codeUnused(ctx context.Context, r *run, _ url.Values) *fault.Error {
	if r.grant.CodeUsedAt.IsZero() {
		return nil
	}
	return r.codeReused(ctx)
}

func (r *run) codeReused(ctx context.Context) *fault.Error {
	g := r.grant
	if err := r.p.grants.Revoke(ctx, g.ID, reasonCodeReused); err != nil {
		return fault.As(err)
	}
	r.p.record(ctx, audit.Event{
		Name: audit.CodeReused, Actor: r.client.ID, UserID: g.UserID, ClientID: g.ClientID, SessionID: g.SessionID,
		Data: map[string]string{"grant": g.ID},
	})
	return badCode("RFC 6749 §4.1.2 the code is used once").Compare(protocol.Code, "unused", "spent").
		WithHint("the code was redeemed before; everything issued from it was revoked")
}

func codeFresh(_ context.Context, r *run, _ url.Values) *fault.Error {
	if !r.now.Before(r.grant.CodeExpiresAt) {
		return badCode("").Compare("now", "before "+stamp(r.grant.CodeExpiresAt), stamp(r.now))
	}
	return nil
}

// grantStands asks the row and the revocations: the session may have ended
// between the redirect and this request.
func grantStands(ctx context.Context, r *run, _ url.Values) *fault.Error {
	if r.grant.Revoked() {
		return badGrant("The grant has ended.").Compare("grant", "standing", "revoked: "+r.grant.Reason)
	}
	facts := revocation.Facts{
		GrantID: r.grant.ID, UserID: r.grant.UserID, ClientID: r.grant.ClientID, IssuedAt: r.grant.CreatedAt,
	}
	if !r.grant.Offline {
		facts.SessionID = r.grant.SessionID
	}
	return r.p.notRevoked(ctx, facts)
}

// notRevoked turns the answer of the revocations into a fault.
func (p *Provider) notRevoked(ctx context.Context, facts revocation.Facts) *fault.Error {
	revoked, why, err := p.revocations.Check(ctx, facts)
	if err != nil {
		return fault.As(err)
	}
	if !revoked {
		return nil
	}
	f := badGrant("The grant has ended.")
	if why != nil {
		f = f.Compare("revocation", "none", string(why.Kind)+": "+why.Reason)
	}
	return f
}

// sameRedirect compares byte by byte. A request that left redirect_uri out
// may leave it out here; if it names one, it is one of the client's.
func sameRedirect(_ context.Context, r *run, form url.Values) *fault.Error {
	sent := form.Get(protocol.RedirectURI)
	switch {
	case r.grant.RedirectURI != "" && sent != r.grant.RedirectURI:
		return badCode("").Compare(protocol.RedirectURI, r.grant.RedirectURI, sent)
	case r.grant.RedirectURI == "" && sent != "" && !r.client.MatchRedirect(sent):
		return badCode("").Compare(protocol.RedirectURI, strings.Join(r.client.RedirectURIs, " "), sent)
	}
	return nil
}

// proofOfCode demands the verifier exactly when a challenge was sent: one
// without a challenge means that somebody removed it (RFC 9700 §4.8.2).
func proofOfCode(_ context.Context, r *run, form url.Values) *fault.Error {
	verifier, sent := form.Get(protocol.CodeVerifier), form.Has(protocol.CodeVerifier)
	switch {
	case r.grant.Challenge == "" && sent:
		return badCode("RFC 9700 §4.8.2 no verifier without a challenge").Compare(protocol.CodeVerifier, "absent", "present").
			WithHint("the authorization request had no code_challenge: it was removed on the way, or the client forgot it")
	case r.grant.Challenge == "" && r.client.PKCERequired():
		return badCode("RFC 9700 §2.1.1 the client uses PKCE").Compare(protocol.CodeChallenge, "present", "absent")
	case r.grant.Challenge == "":
		return nil
	case verifier == "":
		return badCode("RFC 7636 §4.5 the verifier is sent").Compare(protocol.CodeVerifier, "present", "absent")
	case !validVerifier(verifier):
		return badCode("RFC 7636 §4.1 the verifier has 43 to 128 characters of its alphabet").
			Compare(protocol.CodeVerifier, "43 to 128 characters", "another shape")
	case !meetsChallenge(verifier, r.grant.Challenge):
		return badCode("").Compare(protocol.CodeVerifier, "the one behind "+r.grant.Challenge, "another")
	}
	return nil
}

// noBoundKey refuses what is bound to a proof key: a bearer request proves
// none.
func noBoundKey(_ context.Context, r *run, _ url.Values) *fault.Error {
	if r.grant.DPoPKey != "" {
		return badGrant("The grant is bound to a key.").Compare("jkt", r.grant.DPoPKey, "no proof")
	}
	return nil
}

// finishCode spends the code. The loser of a race learns nothing and ends
// what the winner got.
func (r *run) finishCode(ctx context.Context) error {
	if err := r.putOpaque(ctx); err != nil {
		return err
	}
	err := r.p.grants.Store().Redeem(ctx, r.redemption())
	if fault.Is(err, fault.Conflict) {
		return r.codeReused(ctx).Because(err)
	}
	return err
}

func (r *run) redemption() grant.Redemption {
	out := grant.Redemption{GrantID: r.grant.ID, CodeHash: r.grant.CodeHash, Now: r.now}
	if r.refreshHash != "" {
		out.RefreshHash = r.refreshHash
		out.RefreshExpiresAt = r.now.Add(orElse(r.client.RefreshAbsoluteTTL, r.p.lifetimes.RefreshAbsolute))
		out.RefreshIdleExpiresAt = r.idleLimit(out.RefreshExpiresAt)
	}
	return out
}
