// Package job runs background work once across all instances: key rotation
// and the removal of what has expired.
package job
