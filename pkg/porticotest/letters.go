package porticotest

import "strings"

// Letter is a mail that the server wrote.
type Letter struct {
	Key     string // which letter: "verify"
	Subject string
	Text    string
	HTML    string
	Link    string // where its button leads; empty: none
	Code    string // empty: none
}

// Letter returns the newest mail to the address. It is there as soon as the
// request that caused it was answered.
func (s *Server) Letter(email string) Letter {
	s.tb.Helper()
	all := s.Letters(email)
	if len(all) == 0 {
		s.tb.Fatalf("no mail to %s", email)
	}
	return all[0]
}

// Letters returns the mails to the address, newest first: those that the
// mailbox of the server keeps, and those that wait for its mail server.
func (s *Server) Letters(email string) []Letter {
	s.tb.Helper()
	kept, err := s.Mail.Kept(s.tb.Context())
	if err != nil {
		s.tb.Fatalf("read the outbox: %v", err)
	}
	var out []Letter
	for _, k := range kept {
		if strings.EqualFold(k.To, email) {
			out = append(out, Letter{Key: k.Letter, Subject: k.Subject, Text: k.Text, HTML: k.HTML, Link: k.Link, Code: k.Code})
		}
	}
	return out
}
