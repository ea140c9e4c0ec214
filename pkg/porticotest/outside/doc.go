// Package outside holds the tests that attack a whole running server as a
// stranger would: by what can be sent over the network, and judged by what
// comes back. It holds no code and knows nothing of how the server is made.
package outside
