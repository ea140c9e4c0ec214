package token_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares the claims and header of a token with its file, with what
// changes from run to run replaced.
func golden(t *testing.T, name string, header, claims map[string]any) {
	t.Helper()
	for _, vary := range []string{"iat", "exp", "auth_time", "jti", "gid", "at_hash"} {
		if _, has := claims[vary]; has {
			claims[vary] = "<" + vary + ">"
		}
	}
	if header != nil {
		header["kid"] = "<kid>"
	}
	got, err := json.MarshalIndent(map[string]any{"header": header, "claims": claims}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func TestClaimsOfEachToken(t *testing.T) {
	k := newKit(t)
	machine := k.good(k.post(k.service, machineForm()))
	golden(t, "access_machine", jwtHeader(t, machine.AccessToken), claims(t, machine.AccessToken))
	person := k.login(k.web, "openid profile roles orders:read offline_access")
	golden(t, "access_person", jwtHeader(t, person.AccessToken), claims(t, person.AccessToken))
	golden(t, "id_code", jwtHeader(t, person.IDToken), claims(t, person.IDToken))
	again := k.good(k.post(k.web, refreshForm(person.RefreshToken)))
	golden(t, "id_refresh", jwtHeader(t, again.IDToken), claims(t, again.IDToken))
	opaque := k.login(k.web, "stock:read", stock)
	found, err := k.tokens.Inspect(t.Context(), opaque.AccessToken)
	k.must(err)
	golden(t, "access_opaque", nil, decodeObject(t, found.Claims))
}
