package templates

// Logo returns the client's logo if its URL may be shown, else "".
func (c Client) Logo() string { return webURL(c.LogoURL) }

// Policy returns the privacy policy's URL if it may be shown, else "".
func (c Client) Policy() string { return webURL(c.PolicyURL) }

// Terms returns the URL of the terms of service if it may be shown, else "".
func (c Client) Terms() string { return webURL(c.TermsURL) }

// Home returns the client's home page if it may be shown, else "".
func (c Client) Home() string { return webURL(c.HomeURL) }

// Initial returns the letter of the client's monogram.
func (c Client) Initial() string { return initial(c.Name) }

// images returns the pictures that a page with this client shows.
func (c *Client) images() []string {
	if c == nil || c.Logo() == "" {
		return nil
	}
	return []string{c.Logo()}
}

// Title returns what stands large: the name, or the login without one.
func (a Account) Title() string {
	if name := bounded(a.Name, nameBound); name != "" {
		return name
	}
	return bounded(a.Login, nameBound)
}

// Subtitle returns the login when the name stands large, else "".
func (a Account) Subtitle() string {
	if bounded(a.Name, nameBound) == "" {
		return ""
	}
	return bounded(a.Login, nameBound)
}

// Initial returns the letter of the account's monogram.
func (a Account) Initial() string { return initial(a.Title()) }

// Title returns the API's name, or its audience without one.
func (a API) Title() string {
	if name := bounded(a.Name, nameBound); name != "" {
		return name
	}
	return tail(bounded(a.Audience, urlBound), hostBound)
}

// Words returns the sentence of the scope, or its name without one.
func (s Scope) Words() string {
	if text := bounded(s.Description, sentenceBound); text != "" {
		return text
	}
	return bounded(s.Name, nameBound)
}

// Failed reports whether anything entered did not count.
func (p Register) Failed() bool {
	return p.Problem.Is() || p.first() != ""
}

// Focus reports whether the field is the one to begin with: the first that
// did not count, else the first of all.
func (p Register) Focus(field string) bool {
	if first := p.first(); first != "" {
		return field == first
	}
	return field == "name"
}

func (p Register) first() string {
	for _, f := range []struct {
		name    string
		problem Problem
	}{
		{"name", p.NameProblem},
		{"email", p.EmailProblem},
		{"username", p.UsernameProblem},
		{"password", p.PasswordProblem},
		{"terms", p.TermsProblem},
	} {
		if f.problem.Is() {
			return f.name
		}
	}
	return ""
}

// NewPassword returns the field of the password.
func (p Register) NewPassword() NewPassword {
	return NewPassword{Least: p.PasswordMin, Kinds: p.PasswordKinds, Problem: p.PasswordProblem}
}

// defaultPasswordMin is the least length of a password that stands alone
// (NIST SP 800-63B).
const defaultPasswordMin = 15
