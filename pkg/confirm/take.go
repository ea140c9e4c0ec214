package confirm

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/secret"
)

// ByLink returns the open confirmation of a link, without spending it: the
// page behind a link only asks. fault.Gone, code "link_over", for every other:
// garbage, unknown, of another purpose, spent, replaced or too old.
func (s *Service) ByLink(ctx context.Context, p Purpose, link string) (*Confirmation, error) {
	if _, ok := secret.Unwrap(secret.ConfirmLink, link); !ok {
		return nil, Over("not a link of ours")
	}
	hash := s.fp.Of(secret.ConfirmLink, link)
	c, err := s.store.ByLink(ctx, hash)
	if fault.Is(err, fault.NotFound) {
		return nil, Over("unknown")
	} else if err != nil {
		return nil, err
	}
	if !same(c.LinkHash, hash) {
		return nil, Over("unknown")
	}
	return open(&c, p, clock.Now())
}

// ByCode returns the open confirmation of the id if the code is right; blanks
// and hyphens in it do not count. Each try is counted before the code is
// looked at: fault.Unauthenticated, code "code_wrong", when it is wrong;
// fault.Gone, code "link_over", when there is no open confirmation of the id
// and purpose, or MaxTries were wrong. It must not be called within a
// transaction: one that is rolled back would forget the try.
func (s *Service) ByCode(ctx context.Context, p Purpose, id, code string) (*Confirmation, error) {
	now := clock.Now()
	c, err := s.store.ByID(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return nil, Over("unknown")
	} else if err != nil {
		return nil, err
	}
	if _, err := open(&c, p, now); err != nil {
		return nil, err
	}
	if c.CodeHash == "" {
		return nil, Over("it has no code")
	}
	if err := s.store.Try(ctx, id, MaxTries, now); fault.Is(err, fault.Conflict) {
		return nil, Over("too many wrong codes").Under("ASVS 6.6.3 a code bears few tries").Because(err)
	} else if err != nil {
		return nil, err
	}
	if !same(c.CodeHash, s.codeHash(c.ID, digits(code))) {
		return nil, fault.New(fault.Unauthenticated, "code_wrong", "This code is not right.").
			Under("ASVS 6.6.2 the code is the one of this request")
	}
	return &c, nil
}

// open returns c if it may be used for the purpose.
func open(c *Confirmation, p Purpose, now time.Time) (*Confirmation, error) {
	switch {
	case c.Purpose != p:
		return nil, Over("asked for another purpose").Compare("purpose", string(p), string(c.Purpose))
	case !c.EndedAt.IsZero():
		return nil, Over(c.Reason)
	case !c.Open(now):
		return nil, Over("too old").Compare("now", "before "+c.ExpiresAt.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return c, nil
}

// Over is the answer for every link that does not work: fault.Gone, code
// "link_over". Why is for the operator: whoever holds the link is told the
// same whatever is wrong with it. A feature that finds a reason of its own,
// such as an account that is gone, answers with it too.
func Over(why string) *fault.Error {
	return fault.New(fault.Gone, "link_over", "This link is over: it was used, replaced by a newer one, or is too old.").
		Under("ASVS 6.5.1 a link or code works once, for what it was asked for, in its time").
		Compare("link", "open", why)
}

// same compares fingerprints in constant time; an empty one is never the same.
func same(a, b string) bool { return a != "" && b != "" && secret.Equal(a, b) }

// maxCode bounds what a person types around eight digits, in bytes.
const maxCode = 64

// digits returns the code without blanks and hyphens. What is longer than a
// person types is no code.
func digits(code string) string {
	if len(code) > maxCode {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) {
			return -1
		}
		return r
	}, code)
}
