// Package bench measures a running Portico from outside: CPU per request of
// the server, of Postgres and of Redis, beside the physical bound measured in
// the same run. make bench runs it; it sends to loopback only and ends by
// itself.
package bench
