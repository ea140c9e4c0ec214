package assurance_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/assurance"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/flow"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

func TestClassOf(t *testing.T) {
	for amr, want := range map[string]string{
		"": "1", "pwd": "1", "otp": "1", "pwd otp": "1", "pop user": "1",
		"pwd otp mfa": "2", "pwd sms mfa": "2", "mfa": "2", "otp mfa": "2",
		"pop user mfa": "phr", "hwk user mfa": "phr", "pwd pop user mfa": "phr", "swk mfa": "phr",
	} {
		if got := assurance.ClassOf(strings.Fields(amr)); got != want {
			t.Errorf("ClassOf(%s) = %s, want %s", amr, got, want)
		}
	}
}

func TestClassesAreOrdered(t *testing.T) {
	for _, tt := range []struct {
		acr, class string
		want       bool
	}{
		{"1", "1", true},
		{"1", "2", false},
		{"2", "1", true},
		{"2", "2", true},
		{"2", "phr", false},
		{"phr", "2", true},
		{"phr", "phr", true},
		{"", "1", false},
		{"", "", true},
		{"1", "", true},
		{"phr", "urn:x", false},
		{"urn:x", "1", false},
		{"3", "2", false},
		{"PHR", "phr", false},
	} {
		if got := assurance.Reaches(tt.acr, tt.class); got != tt.want {
			t.Errorf("Reaches(%q, %q) = %v", tt.acr, tt.class, got)
		}
	}
	for of, want := range map[string]string{"": "", "1": "1", "1 2": "2", "phr 2": "phr", "urn:x": "", "urn:x 2": "2"} {
		if got := assurance.Highest(strings.Fields(of)...); got != want {
			t.Errorf("Highest(%s) = %q, want %q", of, got, want)
		}
	}
}

// An application compares what it reads with what it asked.
func TestTold(t *testing.T) {
	for _, tt := range []struct{ reached, asked, want string }{
		{"1", "", "1"}, {"phr", "", "phr"}, {"phr", "2", "2"}, {"phr", "2 phr", "phr"}, {"2", "phr", "2"}, {"2", "1 2", "2"}, {"2", "1", "1"},
	} {
		if got := assurance.Told(tt.reached, strings.Fields(tt.asked)); got != tt.want {
			t.Errorf("Told(%s, %s) = %s, want %s", tt.reached, tt.asked, got, tt.want)
		}
	}
}

func TestBothSaysThatThereAreTwo(t *testing.T) {
	for want, parts := range map[string][2]string{
		"pwd otp mfa": {"pwd", "otp"}, "otp mfa": {"", "otp"}, "pop user otp mfa": {"pop user mfa", "otp"}, "pwd otp sms mfa": {"pwd otp mfa", "sms"},
	} {
		if got := assurance.Both(strings.Fields(parts[0]), strings.Fields(parts[1])); strings.Join(got, " ") != want {
			t.Errorf("Both(%v) = %v, want %s", parts, got, want)
		}
	}
}

func TestUsableIsBestFirstAndNoRecoveryCode(t *testing.T) {
	got := assurance.Usable([]string{"email", "recovery_code", "totp", "passkey", "nonsense"}, []assurance.Factor{"totp", "passkey", "recovery_code", "sms"})
	if !slices.Equal(got, []assurance.Factor{"passkey", "totp"}) {
		t.Errorf("Usable = %v", got)
	}
}

func TestParseRoles(t *testing.T) {
	if got, ok := assurance.ParseRoles([]string{"a=2", "b=phr", "a=phr"}); !ok || got["a"] != "phr" || got["b"] != "phr" {
		t.Errorf("%v, %v", got, ok)
	}
	for _, bad := range []string{"a", "=2", "a=", "a=3", "a=2=2"} {
		if got, ok := assurance.ParseRoles([]string{bad}); ok {
			t.Errorf("ParseRoles(%q) = %v", bad, got)
		}
	}
}

// What is demanded of a session of a class by somebody who has some factors.
func TestDemands(t *testing.T) {
	const hour = time.Hour
	all := assurance.Factors()
	type world struct {
		policy  assurance.Policy
		user    user.User
		client  client.Client
		api     string
		flow    flow.Flow
		acr     string
		trusted bool
	}
	asks := func(values ...string) flow.Flow { return flow.Flow{Request: flow.Request{ACRValues: values}} }
	everyone := assurance.Policy{Everyone: "2"}
	has := func(kinds ...string) user.User { return user.User{ID: "alice", Factors: kinds} }
	fresh := flow.Flow{UserID: "alice", FreshLogin: true}
	for name, tt := range map[string]struct {
		world
		want assurance.Step
	}{
		"nobody demands anything":                   {world{acr: "1"}, assurance.None},
		"who has a factor keeps their session":      {world{user: has("totp"), acr: "1"}, assurance.None},
		"everybody, with a factor":                  {world{policy: everyone, user: has("totp"), acr: "1"}, assurance.SecondFactor},
		"everybody, without":                        {world{policy: everyone, acr: "1"}, assurance.Enrol},
		"everybody, reached":                        {world{policy: everyone, user: has("totp"), acr: "2"}, assurance.None},
		"everybody, more than reached":              {world{policy: everyone, acr: "phr"}, assurance.None},
		"everybody, in a remembered browser":        {world{policy: everyone, user: has("totp"), acr: "1", trusted: true}, assurance.None},
		"phr is not remembered":                     {world{policy: assurance.Policy{Everyone: "phr"}, user: has("passkey"), acr: "1", trusted: true}, assurance.SecondFactor},
		"phr, with an app only":                     {world{policy: assurance.Policy{Everyone: "phr"}, user: has("totp"), acr: "2"}, assurance.Enrol},
		"recovery codes are no factor":              {world{policy: everyone, user: has("recovery_code"), acr: "1"}, assurance.Enrol},
		"a role they have":                          {world{policy: assurance.Policy{Roles: map[string]string{"staff": "2"}}, user: user.User{ID: "alice", Roles: []string{"staff"}}, acr: "1"}, assurance.Enrol},
		"a role of others":                          {world{policy: assurance.Policy{Roles: map[string]string{"staff": "2"}}, user: user.User{ID: "alice", Roles: []string{"guest"}}, acr: "1"}, assurance.None},
		"the higher of two roles":                   {world{policy: assurance.Policy{Roles: map[string]string{"a": "2", "b": "phr"}}, user: user.User{ID: "alice", Roles: []string{"b", "a"}, Factors: []string{"totp"}}, acr: "2"}, assurance.Enrol},
		"the client":                                {world{client: client.Client{MinimumACR: "2"}, user: has("totp"), acr: "1"}, assurance.SecondFactor},
		"the API":                                   {world{api: "2", user: has("totp"), acr: "1"}, assurance.SecondFactor},
		"RFC 9470 §4 acr_values":                    {world{flow: asks("2"), user: has("totp"), acr: "1"}, assurance.SecondFactor},
		"acr_values without a factor":               {world{flow: asks("2"), acr: "1"}, assurance.Enrol},
		"acr_values that are reached":               {world{flow: asks("phr", "1"), acr: "1"}, assurance.None},
		"acr_values, the least will do":             {world{flow: asks("phr", "2"), user: has("totp"), acr: "1"}, assurance.SecondFactor},
		"acr_values in a remembered browser":        {world{flow: asks("2"), user: has("totp"), acr: "1", trusted: true}, assurance.SecondFactor},
		"acr_values that nobody knows":              {world{flow: asks("urn:x", "silver"), acr: "1"}, assurance.None},
		"acr_values below the policy":               {world{policy: everyone, flow: asks("1"), user: has("totp"), acr: "1"}, assurance.SecondFactor},
		"acr_values and a higher policy":            {world{policy: assurance.Policy{Everyone: "phr"}, flow: asks("2"), user: has("totp"), acr: "1"}, assurance.Enrol},
		"a kind that is not taken":                  {world{policy: assurance.Policy{Everyone: "2", Taken: []assurance.Factor{"passkey"}}, user: has("totp"), acr: "1"}, assurance.Enrol},
		"grace, first time":                         {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, flow: fresh, acr: "1"}, assurance.Enrol},
		"grace, put off":                            {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, flow: flow.Flow{UserID: "alice", EnrolLater: true}, acr: "1"}, assurance.None},
		"grace, put off by another":                 {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, flow: flow.Flow{UserID: "bob", EnrolLater: true}, acr: "1"}, assurance.Enrol},
		"grace, put off before":                     {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, user: user.User{ID: "alice", EnrolAskedAt: now.Add(-time.Minute)}, acr: "1"}, assurance.None},
		"grace, and a new sign-in":                  {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, flow: fresh, user: user.User{ID: "alice", EnrolAskedAt: now.Add(-time.Minute)}, acr: "1"}, assurance.Enrol},
		"grace, over":                               {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, flow: flow.Flow{UserID: "alice", EnrolLater: true}, user: user.User{ID: "alice", EnrolAskedAt: now.Add(-hour)}, acr: "1"}, assurance.Enrol},
		"grace, and prompt=none":                    {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, flow: flow.Flow{Request: prompt("none")}, acr: "1"}, assurance.None},
		"grace does not spare who has a factor":     {world{policy: assurance.Policy{Everyone: "2", Grace: hour}, user: has("totp"), acr: "1"}, assurance.SecondFactor},
		"grace is not for what is asked":            {world{policy: assurance.Policy{Grace: hour}, flow: asks("2"), acr: "1"}, assurance.Enrol},
		"a page of Portico lets them in to get one": {world{policy: everyone, flow: flow.Flow{Request: flow.Request{Return: "/account"}}, acr: "1"}, assurance.None},
		"a page of Portico asks who has one":        {world{policy: everyone, flow: flow.Flow{Request: flow.Request{Return: "/account"}}, user: has("totp"), acr: "1"}, assurance.SecondFactor},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.policy.Taken == nil {
				tt.policy.Taken = all
			}
			if tt.user.ID == "" {
				tt.user.ID = "alice"
			}
			s := &session.Session{ID: "sid", UserID: "alice", AuthTime: now, ACR: tt.acr, Trusted: tt.trusted, IdleExpiresAt: now.Add(hour), ExpiresAt: now.Add(hour)}
			in := assurance.Input{Flow: &tt.flow, Client: &tt.client, Session: s, Covered: true, Now: now}
			in.Demand = tt.policy.Demand(&tt.flow, &tt.client, &tt.user, tt.api)
			if got := assurance.Missing(in); got != tt.want {
				t.Errorf("Missing = %v, want %v", got, tt.want)
			}
		})
	}
}

// Discovery tells the classes that people can reach here.
func TestClassesAreThoseThatCanBeReached(t *testing.T) {
	for want, taken := range map[string][]assurance.Factor{
		"1": nil, "1 2": {"totp"}, "1 2 phr": {"passkey"},
	} {
		if got := (&assurance.Policy{Taken: taken}).Classes(); strings.Join(got, " ") != want {
			t.Errorf("with %v: %v, want %s", taken, got, want)
		}
	}
}
