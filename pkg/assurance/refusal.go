package assurance

import (
	"github.com/portico-id/portico/pkg/fault"
	"github.com/portico-id/portico/pkg/protocol"
)

// Refusal is the answer to prompt=none when the step is missing (OIDC Core
// §3.1.2.6). None has no refusal: nil.
func Refusal(step Step) *fault.Error {
	switch step {
	case None:
		return nil
	case Login:
		return fault.New(fault.Denied, protocol.ErrLoginRequired, "The person must sign in.").
			Under("OIDC Core §3.1.2.6 prompt=none with a login missing")
	case SecondFactor, Enrol:
		return fault.New(fault.Denied, protocol.ErrInteractionRequired, "The person must use a second factor.").
			Under("RFC 9470 §5 prompt=none with a stronger authentication missing")
	case Select:
		return fault.New(fault.Denied, protocol.ErrAccountSelectionRequired, "The person must choose an account.").
			Under("OIDC Core §3.1.2.6 prompt=none with a choice of account missing")
	case Consent:
		return fault.New(fault.Denied, protocol.ErrConsentRequired, "The person must allow the application.").
			Under("OIDC Core §3.1.2.6 prompt=none with a consent missing")
	default:
		return fault.New(fault.Denied, protocol.ErrInteractionRequired, "The person must take part.").
			Under("OIDC Core §3.1.2.6 prompt=none with an interaction missing")
	}
}
