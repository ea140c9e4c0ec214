package templates

import (
	"strings"
	"time"
)

// Mailbox lists the mails that portico dev kept instead of sending them.
type Mailbox struct {
	Mails []MailLine // newest first
	Self  string     // the path of the page below the issuer
	Home  string     // of the playground
}

// Template implements Page.
func (Mailbox) Template() string { return "playground/mailbox.html" }

// MailLine is one mail of a list.
type MailLine struct {
	ID, To, Subject string
	At              time.Time
}

// MailboxMail shows one of them.
type MailboxMail struct {
	MailLine
	Lang   string // BCP 47
	Letter string // its key
	Text   string
	Link   string // where its button leads; empty: none
	Code   string // empty: none
	Back   string // the path of the list
	HTML   string // the path of its HTML part
}

// Template implements Page.
func (MailboxMail) Template() string { return "playground/mail.html" }

// Stamp is the time as an attribute, Clock for people.
func (l MailLine) Stamp() string { return l.At.UTC().Format(time.RFC3339) }

// Clock is the time for people.
func (l MailLine) Clock() string { return l.At.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// Line is a line of the text, with the link in the middle when it has one.
type Line struct{ Before, Link, After string }

// Lines returns the text line by line.
func (p MailboxMail) Lines() []Line {
	var out []Line
	link := webURL(p.Link)
	for line := range strings.SplitSeq(strings.TrimRight(p.Text, "\n"), "\n") {
		l := Line{Before: line}
		if before, after, ok := strings.Cut(line, link); ok && link != "" {
			l = Line{before, link, after}
		}
		out = append(out, l)
	}
	return out
}

// Follow returns the link if it may be shown.
func (p MailboxMail) Follow() string { return webURL(p.Link) }
