package drills

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/portico-id/portico/pkg/protocol"
)

func TestThreeInstancesStartAtOnceOnAnEmptyDatabase(t *testing.T) {
	st := shared(t)
	s := newSite(t, st.db.URL(), st.rd.URL())
	addresses := []string{s.listen, freeAddress(t), freeAddress(t)}
	children := make([]*child, len(addresses))
	for i, a := range addresses {
		children[i] = s.start("serve --migrate", "PORTICO_LISTEN="+a)
	}
	var sets []string
	for i, a := range addresses {
		s.ready(children[i], "http://"+a)
		res, err := http.Get("http://" + a + protocol.PathJWKS)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := read(res)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, string(raw))
	}
	for i := range sets {
		if sets[i] != sets[0] {
			t.Errorf("instances publish different keys:\n%s\n%s", sets[0], sets[i])
		}
	}
	var set struct {
		Keys []struct {
			Kid, Alg, Use string
		} `json:"keys"`
	}
	if err := json.Unmarshal([]byte(sets[0]), &set); err != nil || len(set.Keys) == 0 {
		t.Fatalf("key set: %v %s", err, sets[0])
	}
	s.people()
	// What one of them signs with the keys of the first start, all take.
	c := s.caller()
	tokens := c.must(online)
	for _, a := range addresses {
		req, err := http.NewRequest(http.MethodGet, "http://"+a+protocol.PathUserinfo, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = s.listen
		req.Header.Set("Authorization", "Bearer "+tokens.text("access_token"))
		if r, err := c.do(req); err != nil || r.status != http.StatusOK {
			t.Errorf("userinfo at %s: %s %v, want 200", a, r, err)
		}
	}
}
