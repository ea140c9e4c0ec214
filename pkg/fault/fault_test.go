package fault_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-id/portico/pkg/fault"
)

func TestKindsAndStatuses(t *testing.T) {
	want := map[fault.Kind]int{
		fault.None: 200, fault.Internal: 500, fault.Invalid: 400, fault.Unauthenticated: 401, fault.Denied: 403,
		fault.NotFound: 404, fault.Conflict: 409, fault.Gone: 410, fault.TooLarge: 413, fault.Limited: 429, fault.Unavailable: 503,
		fault.Kind(99): http.StatusInternalServerError,
	}
	for kind, status := range want {
		if got := kind.Status(); got != status {
			t.Errorf("kind %d: status %d, want %d", kind, got, status)
		}
	}
}

func TestTheOutermostFaultDecides(t *testing.T) {
	inner := fault.New(fault.NotFound, "not_found", "There is none.")
	outer := fault.Hide(fmt.Errorf("load: %w", inner), fault.Unavailable, "temporarily_unavailable", "Later.")
	for name, tt := range map[string]struct {
		err  error
		kind fault.Kind
		code string
	}{
		"nil":       {nil, fault.None, ""},
		"plain":     {errors.New("boom"), fault.Internal, ""},
		"fault":     {inner, fault.NotFound, "not_found"},
		"wrapped":   {fmt.Errorf("x: %w", inner), fault.NotFound, "not_found"},
		"two faces": {outer, fault.Unavailable, "temporarily_unavailable"},
	} {
		if fault.KindOf(tt.err) != tt.kind || fault.CodeOf(tt.err) != tt.code || fault.Is(tt.err, tt.kind) != (tt.err != nil) {
			t.Errorf("%s: kind %d code %q", name, fault.KindOf(tt.err), fault.CodeOf(tt.err))
		}
	}
	if fault.As(nil) != nil {
		t.Error("As(nil) is a fault")
	}
	hidden := fault.As(errors.New("pq: password of user app"))
	if hidden.Kind != fault.Internal || strings.Contains(hidden.Say, "pq") || !strings.Contains(hidden.Error(), "pq") {
		t.Errorf("an error nobody described: %+v", hidden)
	}
}

func TestDecoratingCopies(t *testing.T) {
	base := fault.New(fault.Invalid, "invalid_grant", "No.")
	got := base.Under("RFC 6749 §5.2 a rule").Compare("a", "1", "2").Compare("b", "3", "4").WithHint("set %s", "x").
		After(time.Second).Because(errors.New("cause"))
	if base.Rule != "" || len(base.Compared) != 0 || base.Hint != "" || base.Cause != nil || base.RetryAfter != 0 {
		t.Errorf("the shared fault was changed: %+v", base)
	}
	if got.Rule == "" || len(got.Compared) != 2 || got.Hint != "set x" || got.RetryAfter != time.Second || got.Cause == nil {
		t.Errorf("lost something: %+v", got)
	}
	one, two := got.Compare("c", "", "1"), got.Compare("c", "", "2")
	if one.Compared[2].Got != "1" || two.Compared[2].Got != "2" {
		t.Error("two copies share their values")
	}
}

func TestClipKeepsRecordsOnOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain":            "plain",
		"two\nlines\r\x00": "two\uFFFDlines\uFFFD\uFFFD",
		"a\u2028b":         "a\uFFFDb",
	} {
		if got := fault.Clip(in); got != want {
			t.Errorf("Clip(%q) = %q, want %q", in, got, want)
		}
	}
	if got := fault.Clip(strings.Repeat("ä", 1000)); len(got) > 300 {
		t.Errorf("%d bytes", len(got))
	}
}
