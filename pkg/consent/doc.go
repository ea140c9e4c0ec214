// Package consent remembers what a person allowed an application, and asks.
package consent
