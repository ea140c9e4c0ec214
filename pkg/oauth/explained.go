package oauth

import "github.com/portico-id/portico/pkg/fault"

// explained is an error of a protocol endpoint with the fault that its caller
// and explain are told.
type explained struct {
	fault *fault.Error
	err   error
}

// Explained gives err the fault that a protocol endpoint answers for it, so
// that whoever records the refusal records what the caller was told. What err
// wraps stays reachable.
func Explained(err error) error {
	if err == nil {
		return nil
	}
	return &explained{fault: Fault(err), err: err}
}

func (e *explained) Error() string   { return e.err.Error() }
func (e *explained) Unwrap() []error { return []error{e.fault, e.err} }
