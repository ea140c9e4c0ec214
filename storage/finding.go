package storage

// Status is how a finding of portico doctor ends.
type Status string

// Statuses of a finding.
const (
	OK   Status = "ok"
	Warn Status = "warn" // works, but not as it should be run
	Fail Status = "fail" // does not work, or loses what must not be lost
)

// Finding is one thing that portico doctor looked at.
type Finding struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}
