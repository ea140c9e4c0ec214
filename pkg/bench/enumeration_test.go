package bench

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A question is a form that could tell whether somebody has an account.
type question struct {
	name    string
	path    string // empty: where the authorization request leads
	extra   url.Values
	samples int // of each kind
	// form fills in the form for a name. n differs for every sample.
	form func(name string, n int) url.Values
}

// questions are asked for people who exist and for names that nobody has. Who
// answers by a timer is asked less often: the timer is slow.
var questions = []question{
	{name: "login, wrong password", samples: 150, form: func(name string, n int) url.Values {
		return url.Values{"username": {name}, "password": {"not the password " + strconv.Itoa(n)}}
	}},
	{name: "login, empty password", samples: 100, form: func(name string, _ int) url.Values {
		return url.Values{"username": {name}, "password": {""}}
	}},
	{name: "recovery", path: "/recover", samples: 50, form: func(name string, _ int) url.Values {
		return url.Values{"username": {name}}
	}},
	{name: "sign-up", samples: 50, extra: url.Values{"prompt": {"create"}}, form: func(name string, n int) url.Values {
		return url.Values{"name": {"Somebody"}, "email": {name}, "password": {"a passphrase of number " + strconv.Itoa(n)}, "terms": {"on"}}
	}},
}

// Two kinds of answers clearly differ when chance explains it in fewer than
// one run of a hundred thousand, and the difference is more than what a
// busy machine makes.
const (
	surely    = 1e-5
	tolerable = 0.05 // of the median
)

// BenchmarkEnumeration compares how long the answers take for people who exist
// and for names that nobody has. It fails when time tells them apart.
func BenchmarkEnumeration(b *testing.B) {
	if b.N > 1 {
		return // one run measures everything
	}
	s := open(b, "PORTICO_SIGNUP=open", "PORTICO_SMTP_URL=smtp://localhost:"+freePort(b)+"?tls=off", "PORTICO_MAIL_FROM=no-reply@example.com",
		// Nobody is braked, or the brakes are what is compared.
		"PORTICO_LIMIT_LOGIN_ACCOUNT=1000000/1s", "PORTICO_LIMIT_LOGIN_ADDRESS=1000000/1s", "PORTICO_LIMIT_LOGIN_SPREAD=1000000/1s",
		"PORTICO_LIMIT_MAIL_RECIPIENT=1000000/1s", "PORTICO_LIMIT_CODE=1000000/1s")
	var people []string
	for i := range 5 {
		people = append(people, fmt.Sprintf("person%d@example.com", i))
		s.shell(b, nil, "user", "create", "--email", people[i], "--password", s.password)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "\n%-24s %10s %10s %7s %9s\n", "milliseconds", "known", "unknown", "ratio", "p")
	for _, q := range questions {
		if !strings.Contains(q.name, *only) {
			continue
		}
		known, unknown, err := s.compare(q, people)
		if err != nil {
			b.Errorf("%s: %v", q.name, err)
			continue
		}
		ratio, p := median(known)/median(unknown), rankTest(known, unknown)
		fmt.Fprintf(&out, "%-24s %10.2f %10.2f %7.3f %9.2g\n", q.name, median(known), median(unknown), ratio, p)
		if p < surely && math.Abs(ratio-1) > tolerable {
			b.Errorf("%s: the answers for known and unknown names differ: ratio %.3f, p %.2g", q.name, ratio, p)
		}
	}
	_, _ = os.Stdout.WriteString(out.String())
	b.ReportMetric(0, "ns/op")
}

// compare returns the milliseconds of the answers, by turns, so that whatever
// else the machine does falls on both. The first answers only warm up.
func (s *site) compare(q question, people []string) (known, unknown []float64, err error) {
	const warm = 5
	for n := range q.samples + warm {
		yes, statusYes, err := s.ask(q, people[n%len(people)], 2*n)
		if err != nil {
			return nil, nil, err
		}
		no, statusNo, err := s.ask(q, fmt.Sprintf("nobody%d@example.com", n), 2*n+1)
		if err != nil {
			return nil, nil, err
		}
		if statusYes != statusNo || statusYes >= http.StatusBadRequest {
			return nil, nil, fmt.Errorf("answered %d to a known and %d to an unknown name", statusYes, statusNo)
		}
		if n >= warm {
			known, unknown = append(known, yes), append(unknown, no)
		}
	}
	return known, unknown, nil
}

// ask opens the form in a browser that has never been here and sends it. Only
// the sending is timed.
func (s *site) ask(q question, name string, n int) (milliseconds float64, status int, err error) {
	p, err := s.newPerson(s.web)
	if err != nil {
		return 0, 0, err
	}
	defer p.http.CloseIdleConnections()
	at := s.URL + q.path
	if q.path == "" {
		at = s.authorizeURL(s.web, "openid") + "&" + q.extra.Encode()
	}
	page, at, err := p.open(at)
	if err != nil {
		return 0, 0, err
	}
	form := q.form(name, n)
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], m[2])
	}
	began := time.Now()
	status, err = p.post(at, form)
	return float64(time.Since(began).Microseconds()) / 1000, status, err
}

// open follows redirects to a page and returns it with its address.
func (p *person) open(at string) (page, where string, err error) {
	for range 5 {
		res, err := p.http.Get(at)
		if err != nil {
			return "", "", err
		}
		page, err := readAll(res)
		to := res.Header.Get("Location")
		if err != nil || res.StatusCode == http.StatusOK {
			return page, at, err
		}
		if to == "" {
			return "", "", fmt.Errorf("%s answered %d: %.200s", res.Request.URL.Path, res.StatusCode, page)
		}
		next, err := res.Request.URL.Parse(to)
		if err != nil {
			return "", "", err
		}
		at = next.String()
	}
	return "", "", fmt.Errorf("too many redirects, last to %s", at)
}

// post sends a form as a page of ours does, and reads the whole answer.
func (p *person) post(at string, form url.Values) (status int, err error) {
	req, err := http.NewRequest(http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := p.http.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = readAll(res)
	return res.StatusCode, err
}
