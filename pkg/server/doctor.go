package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/portico-id/portico/pkg/config"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/storage"
)

// Doctor looks at everything an installation stands on and says what it
// found, worst last.
func (s *Server) Doctor(ctx context.Context) []storage.Finding {
	found := []storage.Finding{s.examineSchema(ctx)}
	if s.durable.Examine != nil {
		found = append(found, s.durable.Examine(ctx)...)
	}
	if s.short.Examine != nil {
		found = append(found, s.short.Examine(ctx)...)
	} else {
		found = append(found, s.examineSingleNode())
	}
	found = append(found, s.examineRevocations(ctx), s.examineKeys(), s.examineProxies(), s.examineBrand(), s.examineAdministrators(ctx))
	found = append(found, s.examineMail(ctx)...)
	found = append(found, s.examineTexts(ctx))
	return append(found, s.examineIssuer(ctx)...)
}

func (s *Server) examineSchema(ctx context.Context) storage.Finding {
	f := storage.Finding{Check: "schema"}
	current, newest, pending, err := s.durable.SchemaStatus(ctx)
	switch {
	case err != nil:
		f.Status, f.Detail, f.Hint = storage.Fail, "the database cannot be asked: "+err.Error(), "check PORTICO_DATABASE_URL and that the database runs"
	case current > newest:
		f.Status, f.Detail = storage.Fail, fmt.Sprintf("version %d is newer than this binary, which knows %d", current, newest)
		f.Hint = "run the newer portico, or take migrations back with its portico migrate down"
	case len(pending) > 0:
		f.Status, f.Detail, f.Hint = storage.Fail, fmt.Sprintf("%d migrations are pending", len(pending)), "run: portico migrate up"
	default:
		f.Status, f.Detail = storage.OK, fmt.Sprintf("version %d", current)
	}
	return f
}

func (s *Server) examineSingleNode() storage.Finding {
	return storage.Finding{
		Check: "short-lived store", Status: storage.OK,
		Detail: "embedded: for one instance of Portico only",
		Hint:   "set PORTICO_REDIS_URL before a second instance is started",
	}
}

func (s *Server) examineRevocations(ctx context.Context) storage.Finding {
	f := storage.Finding{Check: "revocations", Status: storage.OK, Detail: "the live set is in step with the database"}
	if err := s.Revocations.Ready(ctx); err != nil {
		f.Status, f.Detail, f.Hint = storage.Fail, "the live set cannot be consulted: "+err.Error(), "introspection, userinfo and refresh answer 503 until it can"
	}
	return f
}

func (s *Server) examineKeys() storage.Finding {
	f := storage.Finding{Check: "signing keys", Status: storage.OK}
	var oldest time.Duration
	for _, k := range s.Keys.List() {
		if k.State == keyring.Signing {
			oldest = max(oldest, time.Since(k.ActiveAt))
		}
	}
	f.Detail = fmt.Sprintf("the oldest signing key has signed for %s", oldest.Round(time.Minute))
	if oldest > s.cfg.KeyRotateEvery+48*time.Hour {
		f.Status, f.Hint = storage.Warn, "scheduled rotation is late: is an instance running? portico keys rotate does it now"
	}
	return f
}

func (s *Server) examineProxies() storage.Finding {
	f := storage.Finding{Check: "proxies", Status: storage.OK}
	issuer := s.cfg.IssuerURL()
	switch {
	case len(s.cfg.TrustedProxies) > 0:
		f.Detail = fmt.Sprintf("X-Forwarded-For is believed from %d networks", len(s.cfg.TrustedProxies))
	case issuer.Scheme == "https" && s.cfg.TLSCertFile == "" && !config.IsLoopback(issuer.Hostname()):
		f.Status, f.Detail = storage.Warn, "the issuer is https and Portico has no certificate, so a proxy stands in front, but none is trusted"
		f.Hint = "set PORTICO_TRUSTED_PROXIES to its address, or every client shares the limits of one address"
	default:
		f.Detail = "no proxy is trusted: the address of a client is that of its connection"
	}
	return f
}

// examineIssuer asks the issuer for its own metadata, as a client would.
func (s *Server) examineIssuer(ctx context.Context) []storage.Finding {
	reach := storage.Finding{Check: "issuer", Status: storage.OK, Detail: s.cfg.Issuer + " answers with itself"}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.cfg.Issuer+protocol.PathOpenIDConfiguration, nil)
	if err != nil {
		reach.Status, reach.Detail = storage.Fail, err.Error()
		return []storage.Finding{reach}
	}
	asked := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		reach.Status, reach.Detail = storage.Warn, "cannot be reached from here: "+err.Error()
		reach.Hint = "applications need to reach it under exactly this name; is the server running, and DNS and proxy set?"
		return []storage.Finding{reach}
	}
	defer func() { _ = res.Body.Close() }()
	var doc struct {
		Issuer string `json:"issuer"`
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(body, &doc)
	}
	switch {
	case err != nil || res.StatusCode != http.StatusOK:
		reach.Status, reach.Detail = storage.Fail, fmt.Sprintf("answers %s, and not with metadata", res.Status)
		reach.Hint = "another server answers under this name, or the proxy does not pass " + protocol.PathOpenIDConfiguration
	case doc.Issuer != s.cfg.Issuer:
		reach.Status, reach.Detail = storage.Fail, fmt.Sprintf("says it is %q", doc.Issuer)
		reach.Hint = "PORTICO_ISSUER must be byte for byte the same on every instance and here"
	}
	return []storage.Finding{reach, examineClock(res, asked)}
}

// examineClock compares our clock with the one of whoever answers for the
// issuer: the proxy in front, or an instance.
func examineClock(res *http.Response, asked time.Time) storage.Finding {
	f := storage.Finding{Check: "clock", Status: storage.OK}
	theirs, err := http.ParseTime(res.Header.Get("Date"))
	if err != nil {
		f.Detail = "the issuer's answer carries no date to compare with"
		return f
	}
	off := asked.Sub(theirs).Abs()
	f.Detail = fmt.Sprintf("within %s of the issuer's", max(off.Round(time.Second), time.Second))
	if off > 5*time.Second {
		f.Status, f.Detail = storage.Fail, fmt.Sprintf("%s away from the issuer's", off.Round(time.Second))
		f.Hint = "run NTP: tokens would be refused as not yet or no longer valid"
	}
	return f
}
