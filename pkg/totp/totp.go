// Package totp is authenticator apps: one-time codes of RFC 6238 as a second
// factor. An app counts once a code of it has confirmed that the seed arrived;
// each time step is spent once, on every instance.
package totp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/factor"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/user"
)

// What apps understand, all of them: RFC 6238 §1.2, §4.
const (
	digits   = 6
	period   = 30 // seconds of a time step
	seedSize = 20 // bytes, RFC 4226 §4 R6
	drift    = 1  // steps before and after ours that are taken, RFC 6238 §5.2
)

// Most is how many apps one person may have.
const Most = 5

// maxName bounds what a person calls an app, in characters.
const maxName = 64

// App is one authenticator app of a person.
type App struct {
	ID        string
	UserID    string
	Name      string
	Sealed    []byte // the seed
	LastStep  int64  // the newest time step that was spent
	CreatedAt time.Time
	UsedAt    time.Time // zero: never after it was confirmed
}

// Service makes and checks apps. It is a factor.Method and safe for concurrent
// use.
type Service struct {
	store  Store
	sealer *secret.Sealer
	keeper factor.Keeper
	issuer string
}

var _ factor.Method = (*Service)(nil)

// NewService returns a service over the store. issuer is what apps show beside
// the codes: the name of this server.
func NewService(store Store, sealer *secret.Sealer, keeper factor.Keeper, issuer string) *Service {
	return &Service{store, sealer, keeper, issuer}
}

// Kind implements factor.Method.
func (*Service) Kind() assurance.Factor { return assurance.TOTP }

// base32 without padding is how seeds are written (key URI format).
var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSeed returns a new seed in base32. Nothing knows it yet.
func NewSeed() string {
	seed := make([]byte, seedSize)
	_, _ = rand.Read(seed) // never fails: it ends the process instead
	return encoding.EncodeToString(seed)
}

// URI returns what the QR code of a seed says (key URI format). account is how
// the person signs in. Apps split the label at its colon, so that neither half
// has another one: the host of a server may come with a port.
func (s *Service) URI(seed, account string) string {
	issuer := escape(unsplit(s.issuer))
	return "otpauth://totp/" + issuer + ":" + escape(unsplit(account)) +
		"?secret=" + escape(seed) + "&issuer=" + issuer +
		"&algorithm=SHA1&digits=" + strconv.Itoa(digits) + "&period=" + strconv.Itoa(period)
}

func unsplit(s string) string { return strings.ReplaceAll(s, ":", " ") }

// escape leaves nothing that an app reads in two ways: some take a plus for a
// blank, also in a path.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// step returns the time step of a time.
func step(t time.Time) int64 { return t.Unix() / period }

// Code returns the code of a seed at a time.
func Code(seed string, at time.Time) (string, error) { return codeOf(seed, step(at)) }

func codeOf(seed string, step int64) (string, error) {
	return hotp.GenerateCodeCustom(seed, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
}

// matching returns the time step around now whose code was typed; the newest
// when several have the same.
func matching(seed, typed string, now time.Time) (found int64, ok bool, err error) {
	for s := step(now) - drift; s <= step(now)+drift; s++ {
		want, err := codeOf(seed, s)
		if err != nil {
			return 0, false, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(typed)) == 1 {
			found, ok = s, true
		}
	}
	return found, ok, nil
}

// Why a code did not count: for the operator alone.
const (
	reasonShape = "not six digits"
	reasonWrong = "no app of the person has it now"
	reasonSpent = "its time step was spent"
)

// Verify implements factor.Method. A code is of one time step of one app; the
// step, and every older one, is spent by it (RFC 6238 §5.2).
func (s *Service) Verify(ctx context.Context, a *factor.Attempt) ([]string, error) {
	typed, ok := Normalise(a.Form["code"])
	if !ok {
		return nil, wrong(reasonShape)
	}
	apps, err := s.store.OfUser(ctx, a.User.ID)
	if err != nil {
		return nil, err
	}
	now, reason := clock.Now(), reasonWrong
	for _, app := range apps {
		seed, err := s.seed(&app)
		if err != nil {
			return nil, err
		}
		at, ok, err := matching(seed, typed, now)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		err = s.store.Spend(ctx, app.ID, at, now)
		if err == nil {
			return []string{protocol.AMROTP}, nil
		} else if !fault.Is(err, fault.Conflict) {
			return nil, err
		}
		reason = reasonSpent
	}
	return nil, wrong(reason)
}

func wrong(reason string) *fault.Error {
	return fault.New(fault.Unauthenticated, "code_wrong", "This code is not right, or it was used already.").
		Under("RFC 6238 §5.2 a code is of this time step, and taken once").Compare("code", "of an app of the person, unspent", reason)
}

func place(id string) string { return "totp/" + id }

func (s *Service) seed(app *App) (string, error) {
	plain, err := s.sealer.Open(place(app.ID), app.Sealed)
	if err != nil {
		return "", fault.New(fault.Internal, "server_error", "The seed of an authenticator app cannot be read.").
			Under("a seed is sealed under a key that is configured").Because(err)
	}
	return string(plain), nil
}

// Confirm adds an app when the code is of the seed: then the seed has arrived,
// and the code's time step is spent. Faults: Unauthenticated when it is not;
// Conflict, code "too_many", when the person has as many as they may; Conflict,
// code "seed_used", when an app of theirs has the seed already: two rows of one
// seed would take each code twice.
func (s *Service) Confirm(ctx context.Context, c factor.Change, seed, code string) error {
	typed, ok := Normalise(code)
	if !ok {
		return wrong(reasonShape)
	}
	now := clock.Now().UTC().Truncate(time.Microsecond)
	at, ok, err := matching(seed, typed, now)
	if err != nil {
		return err
	} else if !ok {
		return wrong(reasonWrong)
	}
	app := App{ID: secret.ID(), UserID: c.UserID, Name: c.Name, LastStep: at, CreatedAt: now}
	app.Sealed = s.sealer.Seal(place(app.ID), []byte(seed))
	c.Kind = assurance.TOTP
	return s.keeper.Add(ctx, c, func(ctx context.Context, u *user.User) error {
		apps, err := s.store.OfUser(ctx, u.ID)
		if err != nil {
			return err
		}
		if err := s.unused(apps, seed); err != nil {
			return err
		}
		if len(apps) >= Most {
			return fault.New(fault.Conflict, "too_many", "There are as many authenticator apps as one account may have.").
				Under("security §0.4 a count limit").Compare("apps", "at most "+strconv.Itoa(Most), strconv.Itoa(len(apps)+1))
		}
		return s.store.Create(ctx, app)
	})
}

// unused refuses a seed that was confirmed before.
func (s *Service) unused(apps []App, seed string) error {
	for _, app := range apps {
		has, err := s.seed(&app)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare([]byte(has), []byte(seed)) == 1 {
			return fault.New(fault.Conflict, "seed_used", "This authenticator app was added already.").
				Under("RFC 6238 §5.2 a code is taken once, so that a seed is of one app").Compare("seed", "a new one", "that of an app of the person")
		}
	}
	return nil
}

// Apps returns the apps of a person, oldest first.
func (s *Service) Apps(ctx context.Context, userID string) ([]App, error) {
	return s.store.OfUser(ctx, userID)
}

// List implements factor.Lister.
func (s *Service) List(ctx context.Context, userID string) ([]factor.Entry, error) {
	apps, err := s.store.OfUser(ctx, userID)
	entries := make([]factor.Entry, len(apps))
	for i, a := range apps {
		entries[i] = factor.Entry{Kind: assurance.TOTP, ID: a.ID, Name: a.Name, AddedAt: a.CreatedAt, UsedAt: a.UsedAt}
	}
	return entries, err
}

// Rename gives an app of the person another name, or is fault.NotFound.
func (s *Service) Rename(ctx context.Context, userID, id, name string) error {
	return known(id, s.store.Rename(ctx, userID, id, name))
}

// Remove removes an app of the person: fault.NotFound when it is not theirs,
// fault.Conflict, code "last_factor", as factor.Keeper says. The name of the
// change is that of the app.
func (s *Service) Remove(ctx context.Context, c factor.Change, id string) error {
	apps, err := s.store.OfUser(ctx, c.UserID)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(apps, func(a App) bool { return a.ID == id })
	if at < 0 {
		return notTheirs(id)
	}
	c.Kind, c.Name = assurance.TOTP, apps[at].Name
	return s.keeper.Remove(ctx, c, func(ctx context.Context, u *user.User) (int, error) {
		if err := known(id, s.store.Delete(ctx, u.ID, id)); err != nil {
			return 0, err
		}
		left, err := s.store.OfUser(ctx, u.ID)
		return len(left), err
	})
}

// known gives what the store does not find a face.
func known(id string, err error) error {
	if fault.Is(err, fault.NotFound) {
		return notTheirs(id).Because(err)
	}
	return err
}

// notTheirs is the answer about an app that is not the person's: as if there
// were no such thing.
func notTheirs(id string) *fault.Error {
	return fault.New(fault.NotFound, "not_found", "There is nothing at this address.").
		Under("OWASP ASVS 8.2.2 people reach what is theirs").Compare("app", "one of this person", id)
}
