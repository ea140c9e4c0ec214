// Package session keeps who is signed in, in which browser, since when and
// how well proven. It authenticates nobody and draws no pages.
package session
