// Package password verifies and changes what people type to prove who they
// are: argon2id hashes, other formats for imports, rehash at the next login.
package password
