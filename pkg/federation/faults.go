package federation

import "github.com/portico-id/portico/pkg/fault"

// Codes of what keeps a sign-in elsewhere from counting. Pages translate them.
const (
	// CodeCancelled: the person, or the provider, said no.
	CodeCancelled = "upstream_cancelled"
	// CodeUntrusted: what came back breaks a rule.
	CodeUntrusted = "upstream_untrusted"
	// CodeUnverified: the address has an account here, and the provider does
	// not vouch that it is theirs; or nobody has it, and so no account is made.
	CodeUnverified = "upstream_email_unverified"
	// CodeLocalUnverified: nobody has proven the address of the account here.
	CodeLocalUnverified = "upstream_local_unverified"
	// CodeNoEmail: an account needs an address, and none was told.
	CodeNoEmail = "upstream_no_email"
	// CodeDomain: the address is of a domain that may not come in.
	CodeDomain = "upstream_domain"
	// CodeNoAccount: nobody here has the account there, and none is made.
	CodeNoAccount = "upstream_no_account"
	// CodeDisabled: the account here is disabled.
	CodeDisabled = "upstream_disabled"
	// CodeLastWay: the person would have no way in.
	CodeLastWay = "last_way_in"
	// CodeLinked: somebody here has the account there.
	CodeLinked = "identity_taken"

	codeUnavailable = "upstream_unavailable"
	sayUnavailable  = "The other service does not answer at the moment."
)

// untrusted is an answer of a provider that breaks a rule. What it said stays
// out of the sentence.
func untrusted(rule string) *fault.Error {
	return fault.New(fault.Denied, CodeUntrusted, "What the other service answered cannot be trusted.").Under(rule)
}

// refuse is a sign-in elsewhere that is genuine and not taken.
func refuse(code, rule, say string) *fault.Error {
	return fault.New(fault.Denied, code, say).Under(rule)
}

// silent is a provider that does not answer as it should. Why is the
// operator's business alone.
func silent(cause error) *fault.Error {
	return fault.Hide(cause, fault.Unavailable, codeUnavailable, sayUnavailable).
		Under("security §9.6 the provider answers within its bounds").WithHint("portico provider test says what is wrong")
}

func unknown(id string) *fault.Error {
	return fault.New(fault.NotFound, "provider_not_found", "There is no such way to sign in.").Compare("provider", "", id)
}
