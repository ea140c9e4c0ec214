// Package protocol holds the words of the specifications: parameters, grant
// and token types, error codes, claims, scopes, paths. It holds no logic, so
// that everyone may import it.
package protocol

// Request and response parameters (RFC 6749 §11.2 registry, OIDC Core §18.2).
const (
	ClientID            = "client_id"
	ClientSecret        = "client_secret"
	ResponseType        = "response_type"
	RedirectURI         = "redirect_uri"
	Scope               = "scope"
	State               = "state"
	Code                = "code"
	Error               = "error"
	ErrorDescription    = "error_description"
	ErrorURI            = "error_uri"
	GrantType           = "grant_type"
	AccessToken         = "access_token"
	TokenType           = "token_type"
	ExpiresIn           = "expires_in"
	RefreshToken        = "refresh_token"
	Nonce               = "nonce"
	Display             = "display"
	Prompt              = "prompt"
	MaxAge              = "max_age"
	UILocales           = "ui_locales"
	ClaimsLocales       = "claims_locales"
	IDTokenHint         = "id_token_hint"
	LoginHint           = "login_hint"
	ACRValues           = "acr_values"
	Provider            = "idp" // ours: where the person is to sign in
	Claims              = "claims"
	Registration        = "registration"
	Request             = "request"
	RequestURI          = "request_uri"
	IDToken             = "id_token"
	ResponseMode        = "response_mode"
	CodeVerifier        = "code_verifier"
	CodeChallenge       = "code_challenge"
	CodeChallengeMethod = "code_challenge_method"
	ClientAssertion     = "client_assertion"
	ClientAssertionType = "client_assertion_type"
	Token               = "token"
	TokenTypeHint       = "token_type_hint"
	Resource            = "resource"
	Audience            = "audience"
	Issuer              = "iss"
	PostLogoutRedirect  = "post_logout_redirect_uri"
	LogoutHint          = "logout_hint"
)

// Grant types.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantClientCredentials = "client_credentials"
	GrantRefreshToken      = "refresh_token"
)

// Response types and modes (OAuth 2.0 Multiple Response Type Encoding
// Practices, OAuth 2.0 Form Post Response Mode).
const (
	ResponseTypeCode = "code"
	ModeQuery        = "query"
	ModeFragment     = "fragment"
	ModeFormPost     = "form_post"
)

// Client authentication methods (RFC 7591 §2, OIDC Core §9).
const (
	AuthNone          = "none"
	AuthSecretBasic   = "client_secret_basic"
	AuthSecretPost    = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
)

// AssertionJWTBearer is the client_assertion_type of RFC 7523 §2.2.
const AssertionJWTBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// ChallengeS256 is the only code challenge method Portico takes (RFC 7636 §4.2).
const ChallengeS256 = "S256"

// Prompt values (OIDC Core §3.1.2.1, Initiating User Registration 1.0).
const (
	PromptNone          = "none"
	PromptLogin         = "login"
	PromptConsent       = "consent"
	PromptSelectAccount = "select_account"
	PromptCreate        = "create"
)

// Authentication methods that amr tells (RFC 8176 §2, OpenID Connect EAP ACR
// Values §2).
const (
	AMRPassword   = "pwd"
	AMROTP        = "otp" // a one-time code: of an app, of a mail, from the list of recovery codes
	AMRSMS        = "sms"
	AMRPossession = "pop" // a key of which nobody vouches where it lives
	AMRHardware   = "hwk"
	AMRSoftware   = "swk"
	AMRUser       = "user" // somebody was there
	AMRMultiple   = "mfa"
)

// Scopes that Portico itself owns.
const (
	ScopeOpenID        = "openid"
	ScopeProfile       = "profile"
	ScopeEmail         = "email"
	ScopeAddress       = "address"
	ScopePhone         = "phone"
	ScopeOfflineAccess = "offline_access"
	ScopeRoles         = "roles"
)

// JWT header types.
const (
	TypeAccessToken   = "at+jwt"                  // RFC 9068 §2.1
	TypeJWT           = "JWT"                     // RFC 7519 §5.1
	TypeIntrospection = "token-introspection+jwt" // RFC 9701 §5
)

// Error codes, in the order of the documents that define them.
const (
	// RFC 6749 §4.1.2.1, §5.2
	ErrInvalidRequest          = "invalid_request"
	ErrInvalidClient           = "invalid_client"
	ErrInvalidGrant            = "invalid_grant"
	ErrUnauthorizedClient      = "unauthorized_client"
	ErrUnsupportedGrantType    = "unsupported_grant_type"
	ErrInvalidScope            = "invalid_scope"
	ErrAccessDenied            = "access_denied"
	ErrUnsupportedResponseType = "unsupported_response_type"
	ErrServerError             = "server_error"
	ErrTemporarilyUnavailable  = "temporarily_unavailable"
	// RFC 6750 §3.1
	ErrInvalidToken      = "invalid_token"
	ErrInsufficientScope = "insufficient_scope"
	// OIDC Core §3.1.2.6
	ErrInteractionRequired      = "interaction_required"
	ErrLoginRequired            = "login_required"
	ErrAccountSelectionRequired = "account_selection_required"
	ErrConsentRequired          = "consent_required"
	ErrInvalidRequestURI        = "invalid_request_uri"
	ErrInvalidRequestObject     = "invalid_request_object"
	ErrRequestNotSupported      = "request_not_supported"
	ErrRequestURINotSupported   = "request_uri_not_supported"
	ErrRegistrationNotSupported = "registration_not_supported"
	// RFC 7009 §2.2.1
	ErrUnsupportedTokenType = "unsupported_token_type"
	// RFC 7591 §3.2.2
	ErrInvalidRedirectURI    = "invalid_redirect_uri"
	ErrInvalidClientMetadata = "invalid_client_metadata"
	// RFC 8707 §2
	ErrInvalidTarget = "invalid_target"
	// OpenID Connect Core Unmet Authentication Requirements 1.0
	ErrUnmetAuthenticationRequirements = "unmet_authentication_requirements"
)

// Paths below the issuer. They are part of the contract: never move one.
const (
	PathOpenIDConfiguration = "/.well-known/openid-configuration"
	PathOAuthServer         = "/.well-known/oauth-authorization-server"
	PathJWKS                = "/oauth2/jwks"
	PathAuthorize           = "/oauth2/authorize"
	PathToken               = "/oauth2/token"
	PathUserinfo            = "/oauth2/userinfo"
	PathIntrospect          = "/oauth2/introspect"
	PathRevoke              = "/oauth2/revoke"
	PathRegister            = "/oauth2/register"
	PathLogout              = "/oauth2/logout"
	PathLogin               = "/login"
	PathConsent             = "/consent"
	PathSignup              = "/register"
	PathSignupConfirm       = "/register/confirm" // the code, or the link of the mail
	PathRecover             = "/recover"
	PathRecoverReset        = "/recover/reset" // the link of the mail
	PathTerms               = "/login/terms"
	PathKeep                = "/login/keep" // an account on its way to deletion
	PathFactor              = "/login/factor"
	PathEnrol               = "/login/enrol"
	PathPasskey             = "/login/passkey"
	PathPasskeyOptions      = "/login/passkey/options" // JSON: the challenge
	PathLoginWith           = "/login/with"            // a provider
	PathLoginCallback       = "/login/callback"        // and "/" and the id of the provider
	PathLoginLink           = "/login/link"            // a sign-in elsewhere whose address has an account
	PathUpstreamLogout      = "/login/logout"          // and "/" and the id of the provider: its back-channel logout
	PathRecoverFactors      = "/recover/factors"       // the link of an administrator
	PathAccount             = "/account"
	PathAccountSecurity     = "/account/security"
	PathAccountTOTP         = "/account/security/app"
	PathAccountPasskeys     = "/account/security/passkeys"
	PathAccountPasskeyNew   = "/account/security/passkeys/options" // JSON: the challenge
	PathAccountCodes        = "/account/security/recovery-codes"
	PathAccountEmailCode    = "/account/security/email"
	PathAccountSMS          = "/account/security/sms"
	PathAccountBrowsers     = "/account/security/browsers"
	PathAccountIdentities   = "/account/identities"
	PathAccountProfile      = "/account/profile"
	PathAccountEmail        = "/account/email"
	PathAccountEmailConfirm = "/account/email/confirm" // the link of the mail
	PathAccountPassword     = "/account/password"
	PathAccountSessions     = "/account/sessions"
	PathAccountApplications = "/account/applications"
	PathAccountHistory      = "/account/history"
	PathAccountData         = "/account/data"
	PathAccountDelete       = "/account/delete"
	PathLogoutConfirm       = "/logout"
	PathSignedOut           = "/signed-out"
	PathError               = "/error"
	PathPlayground          = "/playground"
	PathMailbox             = "/playground/mail"
	PathHealth              = "/healthz"
	PathReady               = "/readyz"
)
