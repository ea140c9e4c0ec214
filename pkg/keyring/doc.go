// Package keyring makes, keeps and rotates the keys that Portico signs with,
// and publishes their public halves. A new key is published well before it
// signs; an old one stays until the last token it signed is dead.
package keyring
