package porticotest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"

	"github.com/portico-id/portico/pkg/protocol"
)

// Register registers an application as strangers do (RFC 7591), with Callback
// and the refresh grant unless the metadata says otherwise.
func (s *Server) Register(metadata map[string]any) App {
	s.tb.Helper()
	all := map[string]any{
		"client_name": "A registered application", "redirect_uris": []string{Callback},
		"grant_types": []string{protocol.GrantAuthorizationCode, protocol.GrantRefreshToken},
	}
	maps.Copy(all, metadata)
	a := s.SendJSON(http.MethodPost, protocol.PathRegister, "", all)
	if a.Status != http.StatusCreated {
		s.tb.Fatalf("registration of %v: %d %s", all, a.Status, a.Raw)
	}
	app := App{ID: a.Text(protocol.ClientID), Secret: a.Text(protocol.ClientSecret), Verifier: Verifier}
	if uris, _ := a.JSON["redirect_uris"].([]any); len(uris) > 0 {
		app.RedirectURI, _ = uris[0].(string)
	}
	return app
}

// SendJSON sends a JSON body with the bearer token, if any.
func (s *Server) SendJSON(method, path, bearer string, body any) *Answer {
	s.tb.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.tb.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.tb.Context(), method, s.URL+path, bytes.NewReader(raw))
	if err != nil {
		s.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	a, err := s.do(req)
	if err != nil {
		s.tb.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}
