package passkey

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/portico-id/portico/pkg/fault"
)

// subjectAltName may be critical in a certificate of a TPM and name nothing
// that crypto/x509 knows (WebAuthn §8.3.1): the library has read it.
var subjectAltName = asn1.ObjectIdentifier{2, 5, 29, 17}

// vouched checks that a certificate of ours vouches for the authenticator
// (WebAuthn §7.1: the attestation is trustworthy). What it says about itself
// the library has verified; a self-made attestation has no certificate.
func (s *Service) vouched(parsed *protocol.ParsedCredentialCreationData, now time.Time) error {
	object := &parsed.Response.AttestationObject
	untrusted := model("WebAuthn §7.1 a trusted certificate vouches for the authenticator").
		Compare("attestation", "by a certificate of passkey_attestation_roots", object.Format).
		WithHint("the settings are passkey_attestation and passkey_attestation_roots")
	chain, _ := object.AttStatement["x5c"].([]any)
	if len(chain) == 0 {
		return untrusted
	}
	var leaf *x509.Certificate
	between := x509.NewCertPool()
	for i, one := range chain {
		raw, _ := one.([]byte)
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			return untrusted.Because(err)
		}
		if i == 0 {
			leaf = cert
		} else {
			between.AddCert(cert)
		}
	}
	leaf.UnhandledCriticalExtensions = slices.DeleteFunc(leaf.UnhandledCriticalExtensions, subjectAltName.Equal)
	if _, err := leaf.Verify(x509.VerifyOptions{
		Roots: s.cfg.Roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}); err != nil {
		return untrusted.Because(err)
	}
	return nil
}

// model is the answer about an authenticator that this server does not take.
func model(clause string) *fault.Error {
	return fault.New(fault.Denied, "passkey_model", "This kind of passkey is not accepted here. Use another device or security key.").Under(clause)
}
