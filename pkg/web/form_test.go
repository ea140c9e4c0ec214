package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/portico-id/portico/pkg/fault"
)

func TestFormTokenBelongsToBrowserFlowAndForm(t *testing.T) {
	k := newRig(t, "https://id.example")
	token := k.FormToken("login", "browser", "flow")
	if err := k.CheckFormToken(token, "login", "browser", "flow"); err != nil {
		t.Fatalf("the token itself: %v", err)
	}
	if strings.Contains(token, "browser") || len(token) != 43 || token != k.FormToken("login", "browser", "flow") {
		t.Errorf("token %q", token)
	}
	twin := newRig(t, "https://id.example") // another instance with the same key
	if err := twin.CheckFormToken(token, "login", "browser", "flow"); err != nil {
		t.Errorf("another instance: %v", err)
	}
	other := newRig(t, "https://id.example", func(c *Config) { c.FormKey = bytes.Repeat([]byte{8}, 32) })
	for name, err := range map[string]error{
		"another key":          other.CheckFormToken(token, "login", "browser", "flow"),
		"another purpose":      k.CheckFormToken(token, "consent", "browser", "flow"),
		"another browser":      k.CheckFormToken(token, "login", "browser2", "flow"),
		"another flow":         k.CheckFormToken(token, "login", "browser", "flow2"),
		"less bound":           k.CheckFormToken(token, "login", "browser"),
		"more bound":           k.CheckFormToken(token, "login", "browser", "flow", ""),
		"moved border":         k.CheckFormToken(token, "login", "browse", "rflow"),
		"joined":               k.CheckFormToken(token, "login", "browserflow"),
		"swapped":              k.CheckFormToken(token, "login", "flow", "browser"),
		"empty token":          k.CheckFormToken("", "login", "browser", "flow"),
		"cut token":            k.CheckFormToken(token[:42], "login", "browser", "flow"),
		"longer token":         k.CheckFormToken(token+"A", "login", "browser", "flow"),
		"padded token":         k.CheckFormToken(token+"=", "login", "browser", "flow"),
		"token with a newline": k.CheckFormToken(token+"\n", "login", "browser", "flow"),
		"altered token":        k.CheckFormToken(flip(token), "login", "browser", "flow"),
		"huge token":           k.CheckFormToken(strings.Repeat("A", 1<<20), "login", "browser", "flow"),
		"nothing bound":        k.CheckFormToken(k.FormToken("login"), "login"),
		"no browser":           k.CheckFormToken(k.FormToken("login", "", "flow"), "login", "", "flow"),
	} {
		if f := fault.As(err); err == nil || f.Kind != fault.Denied || f.Code != "form_expired" || f.Rule == "" {
			t.Errorf("%s: %v, want form_expired", name, err)
		}
	}
}

func TestReadsAPageForm(t *testing.T) {
	got, err := Form(post("/login?username=query", "username=al%20ice+x&password=%2B%26%3D%C3%A4%0A&empty=&bare&"), 1<<10)
	want := Fields{"username": "al ice x", "password": "+&=ä\n", "empty": "", "bare": ""}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("Form = %q, %v; want %q", got, err, want)
	}
	for name, r := range map[string]*http.Request{
		"an empty body": post("/", ""), "no body": noBody(), "with a charset": post("/", "", "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"),
	} {
		if got, err := Form(r, 10); err != nil || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func noBody() *http.Request {
	r := request("POST", "/", "Content-Type", "application/x-www-form-urlencoded")
	r.Body = nil
	return r
}

func TestRefusesABadForm(t *testing.T) {
	many := strings.Builder{}
	for i := range 65 {
		fmt.Fprintf(&many, "f%d=&", i)
	}
	for name, tt := range map[string]struct {
		r      *http.Request
		status int
	}{
		"a field twice":             {post("/", "a=1&b=2&a=1"), 400},
		"twice by another encoding": {post("/", "a=1&%61=1"), 400},
		"NUL":                       {post("/", "a=x%00y"), 400},
		"NUL in a name":             {post("/", "a%00=x"), 400},
		"invalid UTF-8":             {post("/", "a=%ff%fe"), 400},
		"overlong UTF-8":            {post("/", "a=%c0%80"), 400},
		"half a surrogate":          {post("/", "a=%ed%a0%80"), 400},
		"broken escape":             {post("/", "a=%zz"), 400},
		"cut escape":                {post("/", "a=%"), 400},
		"broken escape in a name":   {post("/", "%zz=a"), 400},
		"too many fields":           {post("/", many.String()), 400},
		"a field too long":          {post("/", "a="+strings.Repeat("x", maxFieldBytes+1)), 413},
		"a body too long":           {post("/", "a="+strings.Repeat("x", 100<<10)), 413},
		"JSON":                      {post("/", `{"a":1}`, "Content-Type", "application/json"), 415},
		"multipart":                 {post("/", "--x--", "Content-Type", "multipart/form-data; boundary=x"), 415},
		"text":                      {post("/", "a=1", "Content-Type", "text/plain"), 415},
		"no type":                   {withoutType(post("/", "a=1")), 415},
		"broken type":               {post("/", "a=1", "Content-Type", "application/x-www-form-urlencoded;;="), 415},
		"a body that breaks off":    {breaking(post("/", "")), 400},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Form(tt.r, 64<<10)
			if err == nil || StatusOf(err) != tt.status || got != nil {
				t.Errorf("Form = %v, %v (%d); want %d", got, err, StatusOf(err), tt.status)
			}
		})
	}
}

func withoutType(r *http.Request) *http.Request {
	r.Header.Del("Content-Type")
	return r
}

type breakingBody struct{}

func (breakingBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (breakingBody) Close() error             { return nil }

func breaking(r *http.Request) *http.Request {
	r.Body = breakingBody{}
	return r
}

func TestWhatAMachineWritesMayBeLonger(t *testing.T) {
	long := strings.Repeat("x", 2*maxFieldBytes)
	if got, err := Form(post("/", "credential="+long), 64<<10, "credential"); err != nil || got["credential"] != long {
		t.Errorf("a long field: %v", err)
	}
	for name, body := range map[string]string{
		"longer":        "credential=" + long + "x",
		"another field": "other=" + long,
		"a long name":   long + "=",
	} {
		if _, err := Form(post("/", body), 64<<10, "credential"); StatusOf(err) != 413 {
			t.Errorf("%s: %v, want too large", name, err)
		}
	}
}

func TestOnlyOurOwnScriptsAsk(t *testing.T) {
	k := newRig(t, "https://id.example")
	h := k.Data(func(w http.ResponseWriter, _ *http.Request) error {
		WriteJSON(w, http.StatusOK, "served")
		return nil
	})
	for origin, status := range map[string]int{"https://id.example": 200, "https://evil.example": 403} {
		w := serve(h, post("https://id.example/x", "", "Origin", origin))
		if w.Code != status || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", origin, w.Code, w.Header())
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add("a=1&b=%C3%A4&&=&a")
	f.Add("%00=%ff&a=1&a=2")
	f.Fuzz(func(t *testing.T, body string) {
		fields, err := Form(post("/", body), 4<<10)
		if (fields == nil) != (err != nil) {
			t.Fatalf("Form(%q) = %v, %v", body, fields, err)
		}
		if err != nil && StatusOf(err) >= 500 {
			t.Errorf("Form(%q) = %v", body, err)
		}
		for name, value := range fields {
			if strings.Contains(name+value, "\x00") {
				t.Errorf("Form(%q) let a NUL through", body)
			}
		}
	})
}

func TestOnlyOurOwnPagesPost(t *testing.T) {
	k := newRig(t, "https://id.example")
	served := func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(204); return nil }
	for name, tt := range map[string]struct {
		r            *http.Request
		status, open int
	}{
		"same origin":                         {post("https://id.example/login", "", "Sec-Fetch-Site", "same-origin"), 204, 204},
		"typed by hand":                       {post("https://id.example/login", "", "Sec-Fetch-Site", "none"), 204, 204},
		"another site":                        {post("https://id.example/login", "", "Sec-Fetch-Site", "cross-site"), 403, 204},
		"a sister host":                       {post("https://id.example/login", "", "Sec-Fetch-Site", "same-site"), 403, 204},
		"nonsense":                            {post("https://id.example/login", "", "Sec-Fetch-Site", "x"), 403, 204},
		"old browser, own origin":             {post("https://id.example/login", "", "Origin", "https://id.example"), 204, 204},
		"old browser, another origin":         {post("https://id.example/login", "", "Origin", "https://evil.example"), 403, 204},
		"old browser, null":                   {post("https://id.example/login", "", "Origin", "null"), 403, 204},
		"proxy that changes Host":             {post("http://10.0.0.7:8080/login", "", "Origin", "https://id.example"), 204, 204},
		"proxy that changes Host, other site": {post("http://10.0.0.7:8080/login", "", "Origin", "https://evil.example"), 403, 204},
		"no browser at all":                   {post("https://id.example/login", ""), 204, 204},
		"a link from another site":            {request("GET", "https://id.example/login", "Sec-Fetch-Site", "cross-site"), 204, 204},
	} {
		if w := serve(k.Pages(served), tt.r); w.Code != tt.status {
			t.Errorf("%s: %d, want %d", name, w.Code, tt.status)
		}
		if w := serve(k.OpenPages(served), tt.r); w.Code != tt.open {
			t.Errorf("%s, open page: %d, want %d", name, w.Code, tt.open)
		}
	}
	for _, f := range k.refused.seen {
		if f.Code != "cross_origin" || len(f.Compared) != 2 || f.Hint == "" {
			t.Errorf("recorded %+v", f)
		}
	}
}

func TestBodyFaultTellsLengthFromBreakage(t *testing.T) {
	if got := fault.KindOf(BodyFault(fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 1}))); got != fault.TooLarge {
		t.Errorf("a long body is %v", got)
	}
	if got := fault.KindOf(BodyFault(errors.New("EOF"))); got != fault.Invalid {
		t.Errorf("a broken body is %v", got)
	}
}
