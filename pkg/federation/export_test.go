package federation

import "github.com/portico-id/portico/pkg/user"

// Take is what a new account takes over, for the fuzzer.
func Take(names map[string]string, claims map[string]any) user.User {
	var u user.User
	take(&u, &Provider{Settings: Settings{Claims: names}}, claims)
	return u
}
