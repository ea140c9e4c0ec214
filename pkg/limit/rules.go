package limit

import "time"

// Rules are the limits of the product, as configured. Those per address are
// already scaled. The setting of a rule is "limit_" and its name.
type Rules struct {
	LoginAccount    Rule // failed logins of one account
	LoginAddress    Rule // failed logins of one address
	LoginSpread     Rule // accounts that one source or one password fails on; for sources not scaled yet
	SignupAddress   Rule // sign-up forms of one address
	RecoveryAddress Rule // recovery forms of one address
	AccountAddress  Rule // changes to accounts from one address
	MailAddress     Rule // mails that one address causes
	MailRecipient   Rule // mails that strangers cause to one recipient
	Code            Rule // wrong codes of one account
	SecondFactor    Rule // second factors of one account that did not count
	SMSRecipient    Rule // messages to one number
	SMSAddress      Rule // messages that one address causes
	FlowAddress     Rule // interactive requests of one address that are kept
	RegisterAddress Rule // clients that one address registers
	ClientFailures  Rule // failed authentications of one client from one address

	// Factor is what those per address are scaled by; zero is one.
	Factor int
}

// Standard are the rules when nothing is configured.
func Standard() Rules {
	const quarter = 15 * time.Minute
	account := func(name string, most int, window time.Duration) Rule {
		return Rule{Name: name, Max: most, Window: window}
	}
	address := func(name string, most int, window time.Duration) Rule {
		return Rule{Name: name, Max: most, Window: window, Source: true}
	}
	return Rules{
		LoginAccount:    account("login-account", 5, quarter).Growing(),
		LoginAddress:    address("login-address", 20, quarter),
		LoginSpread:     account("login-spread", 10, quarter),
		SignupAddress:   address("signup-address", 100, quarter),
		RecoveryAddress: address("recovery-address", 100, quarter),
		AccountAddress:  address("account-address", 100, quarter),
		MailAddress:     address("mail-address", 100, quarter),
		MailRecipient:   account("mail-recipient", 10, time.Hour),
		Code:            account("code", 10, quarter),
		SecondFactor:    account("second-factor", 5, quarter).Growing(),
		SMSRecipient:    account("sms-recipient", 5, time.Hour),
		SMSAddress:      address("sms-address", 20, time.Hour),
		FlowAddress:     address("flow-address", 600, quarter),
		RegisterAddress: address("register-address", 30, time.Hour),
		ClientFailures:  account("client-failures", 20, time.Minute),
	}
}
