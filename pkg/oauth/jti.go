package oauth

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A jti is 6 bytes of time in milliseconds and 10 random ones. iat knows only
// seconds, but whoever changes the password and signs in again within the same
// second must find the old tokens dead and the new ones alive: revocations by
// person, session and client compare the time of issue.
const (
	jtiTime = 6
	jtiLen  = 16
)

func newJTI(now time.Time) string {
	var b [jtiLen]byte
	binary.BigEndian.PutUint64(b[:8], uint64(max(0, now.UnixMilli()))<<16)
	_, _ = rand.Read(b[jtiTime:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// issuedAt is the time of issue as exactly as the token knows it. A jti that
// does not fit its iat tells nothing.
func issuedAt(iat int64, jti string) time.Time {
	at := time.Unix(iat, 0)
	b, err := base64.RawURLEncoding.DecodeString(jti)
	if err != nil || len(b) != jtiLen {
		return at
	}
	ms := int64(b[0])<<40 | int64(b[1])<<32 | int64(binary.BigEndian.Uint32(b[2:6]))
	if ms/1000 != iat {
		return at
	}
	return time.UnixMilli(ms)
}
