package porticotest_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is the one browser of this test process: it starts with the first
// test that needs it, and every test gets a window of its own cookies.
var chromium struct {
	once sync.Once
	ctx  context.Context
	end  func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.end != nil {
		chromium.end()
	}
	os.Exit(code)
}

func startChromium() {
	flags := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.DisableGPU, chromedp.NoSandbox, // containers run tests as root
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.WindowSize(1280, 800))
	alloc, endAlloc := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, end := chromedp.NewContext(alloc)
	chromium.ctx, chromium.end = ctx, func() { end(); endAlloc() }
	chromium.err = chromedp.Do(ctx)
}

// stepBound ends what never happens.
const stepBound = 30 * time.Second

// tab is a tab of Chromium that takes note of everything that went wrong in
// it; the test fails with that list.
type tab struct {
	t     *testing.T
	ctx   context.Context
	hosts []string // that pages may load from

	mu        sync.Mutex
	problems  []string
	documents []string // addresses of pages, whatever their status
	received  float64  // bytes on the wire
	expected  []string // parts of problems that the test makes on purpose
}

// newTab opens a tab without cookies. Requests to other hosts than these fail
// the test.
func newTab(t *testing.T, addresses ...string) *tab {
	t.Helper()
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatalf("Chromium does not start: install chromium or set it on PATH: %v", chromium.err)
	}
	return open(t, chromium.ctx, addresses, chromedp.WithNewBrowserContext())
}

// beside opens a tab with the same cookies.
func (tb *tab) beside() *tab {
	tb.t.Helper()
	other := open(tb.t, tb.ctx, nil)
	other.hosts = tb.hosts
	return other
}

func open(t *testing.T, parent context.Context, addresses []string, opts ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(parent, opts...)
	tb := &tab{t: t, ctx: ctx}
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		tb.hosts = append(tb.hosts, u.Host)
	}
	t.Cleanup(func() {
		closeTab()
		tb.mu.Lock()
		defer tb.mu.Unlock()
		for _, p := range tb.problems {
			if !slices.ContainsFunc(tb.expected, func(e string) bool { return strings.Contains(p, e) }) {
				t.Errorf("in the browser: %s", p)
			}
		}
	})
	if err := chromedp.Listen(ctx, tb.see); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	tb.do(command(audits.Enable, cdp.Empty{}))
	return tb
}

// see takes note of an event.
func (tb *tab) see(event any) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			tb.problem("console %s: %s", e.Type, inJSON(e.Args))
		}
	case *runtime.EventExceptionThrown:
		tb.problem("exception: %s %s", e.ExceptionDetails.Text, inJSON(e.ExceptionDetails.Exception))
	case *log.EventEntryAdded:
		// That a page has the status of an error is no error of the page.
		page := e.Entry.Source == log.EntrySourceNetwork && slices.Contains(tb.documents, e.Entry.URL)
		if e.Entry.Level != log.EntryLevelVerbose && !page {
			tb.problem("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if e.Issue.Code == audits.InspectorIssueCodeBounceTrackingIssue {
			return // to lead on is what an authorization server is for
		}
		tb.problem("issue %s: %s", e.Issue.Code, inJSON(e.Issue.Details))
	case *network.EventRequestWillBeSent:
		tb.asked(e)
	case *network.EventLoadingFinished:
		tb.received += e.EncodedDataLength
	}
}

func (tb *tab) asked(e *network.EventRequestWillBeSent) {
	u, err := url.Parse(e.Request.URL)
	if err != nil || u.Scheme == "data" {
		return
	}
	if e.Type == network.ResourceTypeDocument {
		tb.documents = append(tb.documents, e.Request.URL)
	}
	if !slices.Contains(tb.hosts, u.Host) {
		tb.problem("request to %s", e.Request.URL)
	}
}

func (tb *tab) problem(format string, args ...any) {
	tb.problems = append(tb.problems, fmt.Sprintf(format, args...))
}

// expect takes note that problems with this text are made on purpose.
func (tb *tab) expect(text string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.expected = append(tb.expected, text)
}

// weight returns how many bytes came since it was last called.
func (tb *tab) weight() float64 {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	n := tb.received
	tb.received = 0
	return n
}

// do runs steps in the tab.
func (tb *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		tb.t.Fatalf("at %s: %v\n%s", tb.address(), err, tb.text())
	}
}

// evaluate returns what an expression in the page yields.
func evaluate[T any](tb *tab, expression string, opts ...chromedp.EvaluateOption) T {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, opts...))
	if err != nil {
		tb.t.Fatalf("evaluate %.60q: %v", expression, err)
	}
	return v
}

// address returns where the tab is.
func (tb *tab) address() string {
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	at, _ := chromedp.Run(ctx, chromedp.Location())
	return at
}

// text returns the words that the tab shows.
func (tb *tab) text() string {
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	s, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body ? document.body.innerText : ""`))
	return s
}

// load runs the steps and waits for the page that they lead to.
func (tb *tab) load(steps ...chromedp.Action[chromedp.Void]) *network.Response {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	res, err := chromedp.RunResponse(ctx, steps...)
	if err != nil {
		tb.t.Fatalf("at %s: %v\n%s", tb.address(), err, tb.text())
	}
	return res
}

func (tb *tab) visit(address string) *network.Response {
	tb.t.Helper()
	return tb.load(chromedp.Navigate(address))
}

// press clicks the element of the id and waits for the next page.
func (tb *tab) press(id string) *network.Response {
	tb.t.Helper()
	return tb.load(chromedp.Click(chromedp.ID(id)))
}

// fill types into the fields: id, text, id, text.
func (tb *tab) fill(pairs ...string) {
	tb.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		tb.shows(pairs[i])
		evaluate[string](tb, `document.getElementById("`+pairs[i]+`").value = ""`)
		tb.do(chromedp.SendKeys(chromedp.ID(pairs[i]), pairs[i+1]))
	}
}

// shows fails the test unless the page has a visible element of the id.
func (tb *tab) shows(id string) {
	tb.t.Helper()
	tb.do(chromedp.WaitVisible(chromedp.ID(id)))
}

// until waits for a condition in the page. While a page changes there may be
// nothing to ask.
func (tb *tab) until(condition string) {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, stepBound)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](condition)); err == nil && holds {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			tb.t.Fatalf("at %s it never comes to %s:\n%s", tb.address(), condition, tb.text())
		}
	}
}
