package sms

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/portico-id/portico/pkg/clock"
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/safehttp"
)

// Bounds of a call.
const (
	within    = 10 * time.Second // the whole of it, with the second try
	maxAnswer = 16 << 10         // bytes; nothing of it is used
)

// SignatureHeader carries the signature of a request.
const SignatureHeader = "Portico-Signature"

// Webhook hands messages to an address of the operator's.
type Webhook struct {
	url    string
	key    []byte
	client *http.Client
}

// NewWebhook returns a sender to the address, which the settings have checked.
// Redirects are not followed; what may be reached besides public addresses
// allow says.
func NewWebhook(url, key string, cfg safehttp.Config) *Webhook {
	cfg.MaxBytes = maxAnswer
	return &Webhook{url, []byte(key), safehttp.New(cfg).HTTP()}
}

// payload is the body of a request.
type payload struct {
	ID   string `json:"id"`
	To   string `json:"to"`
	Text string `json:"text"`
}

// Send implements Sender: any 2xx is taken for a yes. When the address cannot
// be reached or answers 5xx it is asked once more, within the same ten seconds
// and with the same id.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(payload(m))
	if err != nil {
		return fmt.Errorf("sms: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	status, err := w.post(ctx, body)
	if err != nil || status >= http.StatusInternalServerError {
		status, err = w.post(ctx, body)
	}
	switch {
	case err != nil:
		return unsent("not reached").Because(err)
	case status < 200 || status > 299:
		return unsent(strconv.Itoa(status))
	}
	return nil
}

// post returns the status of the answer. Its body is not looked at, beyond
// that it ends.
func (w *Webhook) post(ctx context.Context, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(SignatureHeader, Signature(w.key, clock.Now(), body))
	res, err := w.client.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, errors.Join(err, res.Body.Close())
}

// Signature returns the value of SignatureHeader for a body:
// "t=<unix>,v1=<hex>", where v1 is the HMAC-SHA256 of the time, a dot and the
// body. The time stands under the signature, so that an old request cannot be
// sent again.
func Signature(key []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// unsent is the only face of a message that was not taken: what the address
// answered is for the operator alone.
func unsent(got string) *fault.Error {
	return fault.New(fault.Unavailable, "sms_not_sent", "The text message could not be sent.").
		Under("the webhook for text messages answers 2xx in time").Compare("answer", "2xx within "+within.String(), got).
		WithHint("check sms_webhook_url and sms_webhook_key, and what it logs; a private address needs PORTICO_OUTBOUND_ALLOW")
}
