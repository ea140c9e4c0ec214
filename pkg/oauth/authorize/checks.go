package authorize

import (
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// proof comes first. Until it passes nothing that the request names is
// trusted, and every refusal is a page of ours (RFC 9700 §4.11.2).
var proof = []check{
	{"RFC 6749 §4.1.1 client_id names a known client", (*Handler).findClient},
	{ruleRedirect, (*Handler).matchRedirectURI},
	{"RFC 6749 §4.1.1 state comes back unchanged", (*Handler).readState},
}

// checks run in this order: a later rule may rely on every earlier one. What
// they refuse goes to the redirect URI.
var checks = []check{
	{"OAuth 2.0 Multiple Response Types §2.1 the response mode is query, fragment or form_post", (*Handler).readResponseMode},
	{"OIDC Core §6.1 a request object is not taken", (*Handler).refuseRequest},
	{"OIDC Core §6.2 a request_uri is not taken", (*Handler).refuseRequestURI},
	{"OIDC Core §7.2.1 a registration parameter is not taken", (*Handler).refuseRegistration},
	{"RFC 6749 §3.1.1 the response type is code, and registered for the client", (*Handler).readResponseType},
	{"RFC 6749 §3.3 the scope is within the client's ceiling", (*Handler).readScope},
	{"RFC 7636 §4.3 the code challenge is of S256", (*Handler).readChallenge},
	{"RFC 7636 §4.4.1 a code challenge is present", (*Handler).requireChallenge},
	{"OIDC Core §3.1.2.1 nonce is bounded", (*Handler).readNonce},
	{"OIDC Core §3.1.2.1 prompt is known, and none stands alone", (*Handler).readPrompt},
	{"OIDC Core §3.1.2.1 max_age is a number of seconds", (*Handler).readMaxAge},
	{"OIDC Core §3.1.2.1 display is known", (*Handler).readDisplay},
	{"OIDC Core §3.1.2.1 acr_values is a short list", (*Handler).readACRValues},
	{"OIDC Core §3.1.2.1 login_hint is bounded", (*Handler).readLoginHint},
	{"idp names a provider", (*Handler).readProvider},
	{"OIDC Core §3.1.2.1 ui_locales is a short list", (*Handler).readUILocales},
	{"OIDC Core §3.1.2.1 id_token_hint is an ID token of ours for this client", (*Handler).readHint},
	{"OIDC Core §5.5 the claims parameter is understood", (*Handler).readClaims},
	{"RFC 9449 §10 dpop_jkt is a SHA-256 thumbprint", (*Handler).readProofKey},
}

const promptNone = protocol.PromptNone

// invalid is the refusal of a request that is malformed or breaks a rule.
func invalid(say string) *fault.Error {
	return fault.New(fault.Invalid, protocol.ErrInvalidRequest, say)
}
