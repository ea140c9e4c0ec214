package keyring

import (
	"fmt"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// Signer signs with one key. It is safe for concurrent use, and good for one
// token: ask the ring again for the next, because keys rotate.
type Signer struct {
	private jose.JSONWebKey
	byTyp   sync.Map // typ → jose.Signer; few and fixed: callers pass constants
}

func newSigner(private jose.JSONWebKey) *Signer { return &Signer{private: private} }

// KeyID returns the kid.
func (s *Signer) KeyID() string { return s.private.KeyID }

// Alg returns the algorithm.
func (s *Signer) Alg() string { return s.private.Algorithm }

// Sign returns claims as a compact JWS whose header holds alg, kid and, when
// not empty, typ, and nothing else (RFC 7515 §7.1). typ must be one of a few
// constants: signers are kept by it.
func (s *Signer) Sign(typ string, claims []byte) (string, error) {
	signer, err := s.forTyp(typ)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(claims)
	if err != nil {
		return "", fmt.Errorf("sign with key %s: %w", s.KeyID(), err)
	}
	return jws.CompactSerialize()
}

func (s *Signer) forTyp(typ string) (jose.Signer, error) {
	if had, ok := s.byTyp.Load(typ); ok {
		return had.(jose.Signer), nil
	}
	options := &jose.SignerOptions{}
	if typ != "" {
		options = options.WithType(jose.ContentType(typ))
	}
	fresh, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.Alg()), Key: s.private}, options)
	if err != nil {
		return nil, fmt.Errorf("signer of key %s: %w", s.KeyID(), err)
	}
	had, _ := s.byTyp.LoadOrStore(typ, fresh)
	return had.(jose.Signer), nil
}
