package federation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// Finding is one thing that was looked at, for the operator.
type Finding struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	// Say is what was found.
	Say  string `json:"found"`
	Hint string `json:"hint,omitempty"`
}

// Examine looks at a provider as a sign-in would, as far as nobody signs in,
// and says what is wrong. Disabled ones are looked at too. fault.NotFound when
// there is no such one.
func (s *Service) Examine(ctx context.Context, id string) ([]Finding, error) {
	p, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	work, err := s.work(p)
	if err != nil {
		return []Finding{finding("settings and secret", "", err)}, nil
	}
	found := []Finding{finding("settings and secret", "can be used", nil)}
	switch {
	case p.Kind == LDAP:
		return append(found, finding("directory", "answers", work.directory.Lookup(ctx, "portico provider test"))), nil
	case presets[p.Kind].openid:
		return append(found, s.examineOpenID(ctx, p)...), nil
	}
	return append(found, s.examineAPI(ctx, p)), nil
}

// finding is what came of a look.
func finding(what, good string, err error) Finding {
	if err == nil {
		return Finding{What: what, OK: true, Say: good}
	}
	f := fault.As(err)
	say := f.Say
	if f.Cause != nil { // for the operator alone
		say = f.Cause.Error()
	}
	for _, v := range f.Compared {
		if v.Want != "" || v.Got != "" {
			say += fmt.Sprintf("; %s: want %q, got %q", v.Name, v.Want, v.Got)
		}
	}
	if f.Rule != "" {
		say += " (" + f.Rule + ")"
	}
	return Finding{What: what, Say: say, Hint: f.Hint}
}

func (s *Service) examineOpenID(ctx context.Context, p *Provider) []Finding {
	m, err := s.discover(ctx, p)
	found := []Finding{finding("discovery", p.issuer(), err)}
	if err != nil {
		return found
	}
	set, err := s.keys.Set(ctx, m.Keys)
	say := ""
	if err == nil {
		say = fmt.Sprintf("%d that can be used", len(set.Keys))
	}
	found = append(found, finding("signing keys", say, err))
	if len(m.Challenges) > 0 && !slices.Contains(m.Challenges, protocol.ChallengeS256) {
		found = append(found, Finding{What: "PKCE", Say: "it does not take S256, which is sent all the same: it may refuse everybody", Hint: "ask for another version of the provider"})
	}
	end := "it has none: people who sign out here stay signed in there"
	if m.EndSession != "" {
		end = m.EndSession
	}
	if p.Settings.Logout {
		found = append(found, Finding{What: "sign-out", OK: m.EndSession != "", Say: end})
	}
	return found
}

// examineAPI asks the API without a token: a refusal is a good answer.
func (s *Service) examineAPI(ctx context.Context, p *Provider) Finding {
	api := p.endpoints().api
	err := ask(ctx, s.Fetch.HTTP(), api, "", nil)
	if f := fault.As(err); f != nil && f.Cause != nil {
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest} {
			if strings.Contains(f.Cause.Error(), fmt.Sprintf(" answered %d ", status)) {
				return finding("API", api, nil)
			}
		}
	}
	if err == nil {
		err = silent(errors.New("it tells who somebody is without a token"))
	}
	return finding("API", "", err)
}
