// Package oauth is the one door to fosite: the provider built by hand, its
// configuration, session, client and store adapters and token strategies, and
// the edge that every protocol endpoint shares (reading forms, writing errors,
// inspecting our own tokens). It shows no pages and authenticates no client
// (clientauth does).
//
// fosite dispatches and keeps the order of things; every rule that decides is
// written here as well, with its clause, because the library's own checks miss
// some and explain none.
package oauth
