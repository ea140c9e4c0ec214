package server

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/audit"
	"github.com/portico-id/portico/pkg/client"
	"github.com/portico-id/portico/pkg/confirm"
	"github.com/portico-id/portico/pkg/consent"
	"github.com/portico-id/portico/pkg/explain"
	"github.com/portico-id/portico/pkg/grant"
	"github.com/portico-id/portico/pkg/keyring"
	"github.com/portico-id/portico/pkg/limit"
	"github.com/portico-id/portico/pkg/revocation"
	"github.com/portico-id/portico/pkg/scope"
	"github.com/portico-id/portico/pkg/secret"
	"github.com/portico-id/portico/pkg/session"
	"github.com/portico-id/portico/pkg/user"
)

// Names of the server's own sealed secrets. They are stored: never change one.
const (
	fingerprintSecret = "fingerprint"
	formSecret        = "form-token"
)

// maxTokenTTL bounds the life of anything signed: keys and revocations are
// kept that long.
const maxTokenTTL = 24 * time.Hour

// openServices builds what has no pages: the services that shell, pages and
// protocol share.
func (s *Server) openServices(ctx context.Context) error {
	key, err := keyring.ServerSecret(ctx, s.durable.Keys, s.sealer, fingerprintSecret)
	if err != nil {
		return err
	}
	s.fingerprint = secret.NewFingerprinter(key)
	s.audit = audit.NewStream(s.durable.Audit, audit.Config{Log: s.log, Dropped: s.dropped("audit")})
	s.refusals = explain.NewStream(s.durable.Refusals, explain.Config{
		Log: s.log, Dropped: s.dropped("refusals"), Refused: s.metrics.Refused,
	})
	s.watch = &limit.Watch{Audit: s.audit, Count: s.metrics.Limited}
	s.Keys, err = keyring.Open(ctx, s.durable.Keys, s.sealer, keyring.Config{
		RotateEvery: s.cfg.KeyRotateEvery, MaxTokenLife: maxTokenTTL, Audit: s.audit,
	})
	if err != nil {
		return err
	}
	s.Revocations = revocation.New(s.durable.Revocations, s.short.Revocations, s.durable, revocation.Config{})
	s.Grants = grant.NewService(s.durable.Grants, s.fingerprint, grant.Config{Revoker: s.Revocations, Audit: s.audit})
	s.Sessions = session.NewService(s.durable.Sessions, s.durable.Grants, s.Revocations, s.fingerprint, s.audit, session.Config{
		Idle: s.cfg.SessionIdleTTL, RememberIdle: s.cfg.SessionRememberIdleTTL, Absolute: s.cfg.SessionAbsoluteTTL,
		TokenLife: maxTokenTTL, Cache: s.short.Sessions, Looked: s.metrics.SessionLooked,
	})
	s.openMail()
	s.Clients = client.NewService(s.durable.Clients, s.fingerprint, client.Config{
		Revoker: s.Revocations, Grants: s.durable.Grants, Audit: s.audit,
	})
	s.APIs = scope.NewService(s.durable.APIs, scope.Config{Issuer: s.cfg.Issuer, LoopbackResources: s.cfg.Dev})
	s.Users = user.NewService(s.durable.Users, s.durable, s.Sessions, s.audit)
	if err := s.openPasswords(); err != nil {
		return err
	}
	s.Confirmations = confirm.NewService(s.durable.Confirmations, s.fingerprint, s.sealer)
	s.openFactors()
	s.openFederation()
	s.Consents = consent.NewService(s.durable.Consents, s.APIs, s.Users, s.durable.Grants, s.Revocations, s.audit, consent.Config{TokenLife: maxTokenTTL})
	return nil
}

// dropped counts records that found no room.
func (s *Server) dropped(stream string) func(n int) {
	return func(n int) { s.metrics.Dropped(stream, n) }
}
