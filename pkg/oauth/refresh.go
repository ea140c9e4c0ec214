package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/trail"
)

// errLost says that another request rotated the token first.
var errLost = errors.New("oauth: the refresh token was rotated by another request")

// refresh answers a refresh request. The loser of a race looks once more: it
// is the same request come twice, or reuse.
func (p *Provider) refresh(ctx context.Context, r *run, form url.Values) (*TokenAnswer, error) {
	for range 2 {
		again := *r
		again.party = &party{c: r.client}
		answer, err := again.refreshOnce(ctx, form)
		if errors.Is(err, errLost) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if again.answer != nil { // a retry was counted when it came first
			again.issued(ctx)
		}
		return answer, nil
	}
	return nil, badRefresh("RFC 6749 §10.4 the refresh token is the live one").
		WithHint("the grant was revoked or reached its limit while the request was served")
}

func (r *run) refreshOnce(ctx context.Context, form url.Values) (*TokenAnswer, error) {
	if err := r.readRefresh(ctx, form); err != nil {
		return nil, err
	}
	for _, k := range []rule{
		{"RFC 6749 §6 the refresh token was issued to this client", refreshOfClient},
		{"RFC 9449 §5 the key is the one the refresh token is bound to", noBoundKey},
	} {
		if f := k.run(ctx, r, form); f != nil {
			return nil, f.Under(k.rule)
		}
	}
	r.retryKey = r.keyOfRetry(form)
	retried, err := r.judgeRefresh(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.apply(ctx, refreshRules, form); err != nil {
		return nil, err
	}
	if retried {
		return r.storedAnswer()
	}
	if err := r.decidePersonal(ctx, form); err != nil {
		return nil, err
	}
	if err := r.consentCovers(); err != nil {
		return nil, err
	}
	if err := r.sign(ctx, form); err != nil {
		return nil, err
	}
	return r.answer, nil
}

// refreshRules look again at what stood when the grant was given (OIDC Core
// §12.1; nothing is learned from the token itself).
var refreshRules = []rule{
	{"security §3.6 the grant was not revoked", grantStands},
	{"security §3.6 the person is active", personActive},
	{"security §3.6 the session lives, or offline access was granted", sessionLives},
	{"security §3.6 the consent stands", consentStands},
}

func badRefresh(rule string) *fault.Error {
	return badGrant("The refresh token is not valid.").Under(rule)
}

// readRefresh reads the grant with everything that is looked at again, in one
// statement. Garbage asks no store and revokes nothing.
func (r *run) readRefresh(ctx context.Context, form url.Values) error {
	token := form.Get(protocol.RefreshToken)
	if token == "" {
		return missing(protocol.RefreshToken)
	}
	presented, ok := r.p.grants.ParseRefresh(token)
	if !ok {
		return badRefresh("RFC 6749 §5.2 the refresh token is one of ours").
			Compare(protocol.RefreshToken, "a refresh token of this server", "something else")
	}
	s, err := r.p.grants.Store().Standing(ctx, presented.GrantID)
	switch {
	case fault.Is(err, fault.NotFound):
		return badRefresh("RFC 6749 §5.2 the grant of the refresh token is known").Because(err)
	case err != nil:
		return err
	}
	r.oldRefresh, r.standing, r.grant = presented, &s, &s.Grant
	trail.Set(ctx, "grant", s.ID)
	return nil
}

// refreshOfClient comes before everything that could end the family: somebody
// else's attempt must not burn the honest client's token.
func refreshOfClient(_ context.Context, r *run, _ url.Values) *fault.Error {
	if r.grant.ClientID != r.client.ID {
		return badRefresh("").Compare(protocol.ClientID, r.grant.ClientID, r.client.ID)
	}
	return nil
}

// judgeRefresh says whether the token is the live one or a good retry, and
// ends the family of one that is neither: two parties hold it.
func (r *run) judgeRefresh(ctx context.Context) (retried bool, err error) {
	window := time.Duration(-1)
	if r.retryKey != "" {
		window = r.p.lifetimes.Retry
	}
	switch grant.Judge(r.grant, r.oldRefresh, r.now, window) {
	case grant.Current:
		return false, nil
	case grant.Retried:
		if r.grant.RetryKey == r.retryKey && len(r.grant.RetryAnswer) > 0 {
			return true, nil
		}
		return false, r.refreshReused(ctx, "within the retry window, but not the same request")
	case grant.Expired:
		return false, badRefresh("RFC 6749 §6 the refresh token has not expired").
			Compare("now", "before "+stamp(earlier(r.grant.RefreshIdleExpiresAt, r.grant.RefreshExpiresAt)), stamp(r.now))
	case grant.Ended:
		return false, badRefresh("RFC 6749 §6 the grant stands").Compare("grant", "standing", "revoked: "+r.grant.Reason)
	default:
		return false, r.refreshReused(ctx, "rotated away")
	}
}

func (r *run) refreshReused(ctx context.Context, got string) *fault.Error {
	g := r.grant
	if err := r.p.grants.Revoke(ctx, g.ID, reasonRefreshReused); err != nil {
		return fault.As(err)
	}
	r.p.record(ctx, audit.Event{
		Name: audit.RefreshReused, Actor: r.client.ID, UserID: g.UserID, ClientID: g.ClientID, SessionID: g.SessionID,
		Data: map[string]string{
			"grant": g.ID, "generation": strconv.Itoa(r.oldRefresh.Generation), "live": strconv.Itoa(g.RefreshGeneration),
		},
	})
	return badRefresh("RFC 9700 §4.14.2 a refresh token is used once").Compare(protocol.RefreshToken, "the live one", got).
		WithHint("an old refresh token came again; everything issued from its grant was revoked")
}

func personActive(_ context.Context, r *run, _ url.Values) *fault.Error {
	if !r.standing.UserActive {
		return badGrant("The grant has ended.").Compare("person", "active", "gone or disabled")
	}
	return nil
}

func sessionLives(_ context.Context, r *run, _ url.Values) *fault.Error {
	if !r.grant.Offline && !r.standing.SessionLive {
		return badGrant("The grant has ended.").Compare("session", "live", "ended").
			WithHint("the client must ask for offline_access to refresh after the person signed out")
	}
	return nil
}

func consentStands(_ context.Context, r *run, _ url.Values) *fault.Error {
	if !r.client.SkipConsent && !r.standing.ConsentGiven {
		return badGrant("The grant has ended.").Compare("consent", "given", "withdrawn")
	}
	return nil
}

// consentCovers compares what the tokens would carry with what the person
// allows now.
func (r *run) consentCovers() error {
	if r.client.SkipConsent {
		return nil
	}
	for _, s := range r.scopes {
		if !slices.Contains(r.standing.ConsentScopes, s) {
			return badGrant("The grant has ended.").Under("security §3.6 the consent covers the scopes").
				Compare("consent", s, strings.Join(r.standing.ConsentScopes, " "))
		}
	}
	return nil
}

// keyOfRetry is the digest of what must be equal for a retry to get the same
// answer. It is empty for a client with neither authentication nor proof key:
// whoever holds its token could ask again as well as itself.
func (r *run) keyOfRetry(form url.Values) string {
	if !hasWindow(r.client, r.grant) || r.p.lifetimes.Retry <= 0 {
		return ""
	}
	h := sha256.New()
	parts := append([]string{r.client.ID, r.grant.DPoPKey, form.Get(protocol.Scope)}, resourcesOf(form)...)
	for _, s := range parts {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func hasWindow(c *client.Client, g *grant.Grant) bool { return !c.Public() || g.DPoPKey != "" }

// sealedAt names the place of the stored answer: this grant, this rotation.
func sealedAt(gid, oldHash string) string { return "grant/" + gid + "/retry/" + oldHash }

func (r *run) storedAnswer() (*TokenAnswer, error) {
	plain, err := r.p.sealer.Open(sealedAt(r.grant.ID, r.oldRefresh.Hash), r.grant.RetryAnswer)
	if err != nil {
		return nil, fmt.Errorf("answer of grant %s: %w", r.grant.ID, err)
	}
	var answer TokenAnswer
	if err := json.Unmarshal(plain, &answer); err != nil {
		return nil, fmt.Errorf("answer of grant %s: %w", r.grant.ID, err)
	}
	return &answer, nil
}

// finishRefresh spends the old token and puts the new one in its place, with
// the answer for a retry, sealed.
func (r *run) finishRefresh(ctx context.Context) error {
	if err := r.putOpaque(ctx); err != nil {
		return err
	}
	next := grant.Rotation{
		GrantID: r.grant.ID, OldHash: r.oldRefresh.Hash, NewHash: r.refreshHash, Now: r.now,
		IdleExpiresAt: r.idleLimit(r.grant.RefreshExpiresAt),
	}
	if r.retryKey != "" {
		plain, err := json.Marshal(r.answer)
		if err != nil {
			return err
		}
		next.RetryKey = r.retryKey
		next.RetryAnswer = r.p.sealer.Seal(sealedAt(r.grant.ID, r.oldRefresh.Hash), plain)
	}
	err := r.p.grants.Store().Rotate(ctx, next)
	if fault.Is(err, fault.Conflict) {
		return errLost
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
