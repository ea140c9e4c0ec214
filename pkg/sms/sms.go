// Package sms brings short texts to phones: through a webhook of the
// operator's, signed so that it can tell who asks, or into the log of a
// development server. It does not decide who gets which text.
package sms

import (
	"context"
	"log/slog"
)

// Message is one text message.
type Message struct {
	// ID is the same when a message is handed over again: whoever takes it
	// sends one of each.
	ID   string
	To   string // E.164, as Normalise returns it
	Text string
}

// Sender hands messages to whoever delivers them. Implementations are safe for
// concurrent use.
type Sender interface {
	// Send returns nil when the message was taken. fault.Unavailable, code
	// "sms_not_sent", when it was not, or nobody knows.
	Send(ctx context.Context, m Message) error
}

// Log writes messages to the log instead of sending them, codes and all: it is
// for portico dev alone.
type Log struct{ Log *slog.Logger }

// Send implements Sender. It warns, because a development server shows no
// less.
func (l Log) Send(ctx context.Context, m Message) error {
	l.Log.WarnContext(ctx, "a text message stands here, because sms_webhook_url is not set", "id", m.ID, "to", m.To, "text", m.Text)
	return nil
}
