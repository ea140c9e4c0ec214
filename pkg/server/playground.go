package server

import (
	"net/http"

	"github.com/portico-id/portico/pkg/playground"
	"github.com/portico-id/portico/pkg/protocol"
	"github.com/portico-id/portico/pkg/web"
)

// playground lists the pages of portico dev. They show published secrets, so
// there are none under portico serve.
func (s *Server) playground(page func(web.Handler) http.Handler) []route {
	if !s.cfg.Dev {
		return nil
	}
	mailbox := ""
	if s.hasMailbox() {
		mailbox = protocol.PathMailbox
	}
	h := page(playground.New(playground.Config{
		Pages: s.kit, Issuer: s.cfg.Issuer, People: DemoPeople, Password: DemoPassword,
		Web: playground.Client{ID: DemoWeb, Secret: DemoWebSecret}, SPA: playground.Client{ID: DemoSPA},
		Service: playground.Client{ID: DemoService, Secret: DemoServiceSecret},
		API:     DemoAPI, Scopes: []string{"orders:read", "orders:write"}, Mailbox: mailbox,
	}).Page)
	return []route{{protocol.PathPlayground, h}, {protocol.PathPlayground + "/callback", h}}
}
