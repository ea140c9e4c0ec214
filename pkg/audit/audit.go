// Package audit records who did what, when and from where, in a closed
// vocabulary that docs/events.md lists. It is a stream of its own: the log
// line of a request is not an audit event.
package audit

import (
	"context"
	"time"

	"github.com/portico-id/portico/pkg/paging"
)

// Name is one event of the closed vocabulary.
type Name string

// The vocabulary. Successful machine tokens cost counters, no event.
const (
	LoginSucceeded      Name = "login.succeeded"
	LoginFailed         Name = "login.failed"
	LoginThrottled      Name = "login.throttled"
	SessionEnded        Name = "session.ended"
	ConsentGranted      Name = "consent.granted"
	ConsentDenied       Name = "consent.denied"
	CodeIssued          Name = "code.issued"
	CodeReused          Name = "code.reused"
	TokenIssued         Name = "token.issued"
	RefreshReused       Name = "refresh.reused"
	GrantRevoked        Name = "grant.revoked"
	TokenRevoked        Name = "token.revoked"
	ClientAuthFailed    Name = "client.authentication_failed"
	ClientCreated       Name = "client.created"
	ClientRegistered    Name = "client.registered"
	ClientUpdated       Name = "client.updated"
	ClientDeleted       Name = "client.deleted"
	ClientSecretRotated Name = "client.secret_rotated"
	UserCreated         Name = "user.created"
	UserRegistered      Name = "user.registered"
	UserUpdated         Name = "user.updated"
	UserDisabled        Name = "user.disabled"
	UserEnabled         Name = "user.enabled"
	UserImported        Name = "user.imported"
	UserInvited         Name = "user.invited"
	InvitationWithdrawn Name = "user.invitation_withdrawn"
	UserDeletionAsked   Name = "user.deletion_requested"
	UserKept            Name = "user.deletion_cancelled"
	UserDeleted         Name = "user.deleted"
	UserExported        Name = "user.exported"
	EmailVerified       Name = "email.verified"
	EmailChangeAsked    Name = "email.change_requested"
	EmailChanged        Name = "email.changed"
	TermsAccepted       Name = "terms.accepted"
	PasswordChanged     Name = "password.changed"
	PasswordFailed      Name = "password.failed"
	PasswordResetAsked  Name = "password.reset_requested"
	PasswordReset       Name = "password.reset"
	FactorAdded         Name = "factor.added"
	FactorRemoved       Name = "factor.removed"
	FactorRenamed       Name = "factor.renamed"
	FactorFailed        Name = "factor.failed"
	FactorPostponed     Name = "factor.enrolment_postponed"
	FactorStepUp        Name = "factor.step_up"
	CodesGenerated      Name = "recovery_codes.generated"
	CodeUsed            Name = "recovery_codes.used"
	PasskeySuspended    Name = "passkey.suspended"
	BrowserTrusted      Name = "browser.trusted"
	BrowserForgotten    Name = "browser.forgotten"
	RecoveryAsked       Name = "factor_recovery.requested"
	RecoveryApproved    Name = "factor_recovery.approved"
	RecoveryWithdrawn   Name = "factor_recovery.withdrawn"
	FactorsRecovered    Name = "factor_recovery.used"
	IdentityLinked      Name = "identity.linked"
	IdentityUnlinked    Name = "identity.unlinked"
	IdentityRefused     Name = "identity.refused"
	ProviderCreated     Name = "provider.created"
	ProviderUpdated     Name = "provider.updated"
	ProviderDeleted     Name = "provider.deleted"
	ProviderFailed      Name = "provider.failed"
	UpstreamLogout      Name = "provider.logout"
	SMSFailed           Name = "sms.failed"
	ConfirmationRefused Name = "confirmation.refused"
	AccountRefused      Name = "account.refused"
	MailGivenUp         Name = "mail.given_up"
	LimitExceeded       Name = "limit.exceeded"
	StuffingSuspected   Name = "login.stuffing_suspected"
	SprayingSuspected   Name = "login.spraying_suspected"
	KeyCreated          Name = "key.created"
	KeyRotated          Name = "key.rotated"
	KeyRevoked          Name = "key.revoked"
)

// Event is one thing that happened. Data holds no secret, token or password.
type Event struct {
	ID        string
	Name      Name
	At        time.Time
	Actor     string // user id, client id or "shell"
	UserID    string
	ClientID  string
	SessionID string
	Remote    string
	UserAgent string
	RequestID string
	Data      map[string]string
}

// Recorder takes events. Record never blocks on a store and never fails: a
// full buffer is counted and logged. It fills ID, At and, from the trail of
// the context, Remote, UserAgent and RequestID when they are empty.
type Recorder interface {
	Record(ctx context.Context, e Event)
}

// Store keeps events durably. Implementations pass storagetest.Audit.
type Store interface {
	// Append writes a batch.
	Append(ctx context.Context, events []Event) error
	// Recent returns the newest events first, of one person only when userID
	// is not empty, at most limit.
	Recent(ctx context.Context, userID string, limit int) ([]Event, error)
	// OfUser returns a page of the events of one person, of the names only
	// when any is given, newest first. The cursor is the id of an event of the
	// same person.
	OfUser(ctx context.Context, userID string, page paging.Page, names ...Name) ([]Event, error)
	// DeleteBefore removes at most limit events older than the time.
	DeleteBefore(ctx context.Context, before time.Time, limit int) (int, error)
}
