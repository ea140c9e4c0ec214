package safehttp

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
)

// HTTP returns a client for libraries that speak a protocol of their own: its
// requests keep the same bounds. Redirects are answers and not followed, a
// body that is too long is an error, and so is one that is compressed. Its
// errors are for the operator alone.
func (c *Client) HTTP() *http.Client {
	return &http.Client{
		Transport:     guarded{c},
		Timeout:       c.cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// guarded is the round tripper of HTTP.
type guarded struct{ c *Client }

// RoundTrip implements http.RoundTripper. A slot is taken until the body is
// closed.
func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := parse(r.URL.String())
	if err != nil {
		return nil, err
	}
	select {
	case g.c.slots <- struct{}{}:
	case <-r.Context().Done():
		return nil, fmt.Errorf("wait for a free slot: %w", r.Context().Err())
	}
	leave := func() { <-g.c.slots }
	r = r.Clone(r.Context())
	maps.Copy(r.Header, g.c.cfg.Header)
	r.Header.Set("User-Agent", "Portico")
	over := g.c.https
	if u.Scheme == "http" {
		over = g.c.http
	}
	res, err := over.RoundTrip(r)
	if err != nil {
		leave()
		return nil, err
	}
	coding := res.Header.Get("Content-Encoding")
	if coding != "" && coding != "identity" || res.ContentLength > g.c.cfg.MaxBytes {
		_ = res.Body.Close()
		leave()
		return nil, errors.New("the answer is compressed or too long")
	}
	res.Body = &bounded{ReadCloser: res.Body, left: g.c.cfg.MaxBytes, leave: leave}
	return res, nil
}

// bounded is a body that ends with an error when it is too long. It is closed
// by one reader.
type bounded struct {
	io.ReadCloser
	left  int64
	leave func()
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, errors.New("the answer is too long")
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.New("the answer is too long")
	}
	return n, err
}

// Close ends the body and frees the slot, once.
func (b *bounded) Close() error {
	if b.leave != nil {
		b.leave()
		b.leave = nil
	}
	return b.ReadCloser.Close()
}
