// Package token is the token endpoint: read the form, authenticate the client,
// let the provider answer.
package token

import "net/http"

// Handler serves the token endpoint.
type Handler struct{}

// Token answers POST /oauth2/token.
func (h *Handler) Token(w http.ResponseWriter, r *http.Request) error { return nil }
