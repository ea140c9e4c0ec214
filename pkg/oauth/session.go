package oauth

import (
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"
)

// Session is what fosite carries between its handlers. It holds no claims
// that end in a token: those are built fresh for each signature, because
// fosite's own session keeps an old iat and jti through a refresh.
type Session struct {
	subject string
	expires map[fosite.TokenType]time.Time
	id      jwt.IDTokenClaims // scratch that fosite's OpenID handler writes to
	header  jwt.Headers
}

var _ openid.Session = (*Session)(nil)

// newSession returns a session for fosite, which answers server_error when
// somebody signed in later than its own clock says: at an instance whose clock
// is ahead, or before this one's was set back. Whether that login still counts
// is decided elsewhere, and tokens tell the true time.
func newSession(subject string, authTime, now time.Time) *Session {
	if present := time.Now(); authTime.After(present) {
		authTime = present
	}
	return &Session{
		subject: subject,
		expires: make(map[fosite.TokenType]time.Time, 3),
		id:      jwt.IDTokenClaims{Subject: subject, AuthTime: authTime, RequestedAt: now},
	}
}

// SetExpiresAt notes when a token of the type ends.
func (s *Session) SetExpiresAt(key fosite.TokenType, exp time.Time) { s.expires[key] = exp }

// GetExpiresAt returns when a token of the type ends, zero if never set.
func (s *Session) GetExpiresAt(key fosite.TokenType) time.Time { return s.expires[key] }

// GetUsername is empty: names are no business of the engine.
func (s *Session) GetUsername() string { return "" }

// GetSubject returns the person, or the client for client credentials.
func (s *Session) GetSubject() string { return s.subject }

// Clone copies by field; fosite's own copies by reflection.
func (s *Session) Clone() fosite.Session {
	c := *s
	c.expires = make(map[fosite.TokenType]time.Time, len(s.expires))
	for k, v := range s.expires {
		c.expires[k] = v
	}
	return &c
}

// IDTokenClaims returns the scratch claims.
func (s *Session) IDTokenClaims() *jwt.IDTokenClaims { return &s.id }

// IDTokenHeaders returns the scratch header.
func (s *Session) IDTokenHeaders() *jwt.Headers { return &s.header }
