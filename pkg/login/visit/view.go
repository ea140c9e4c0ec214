package visit

import "github.com/portico-id/portico/templates"

// Application returns who asks, as the pages show it; nil: Portico itself.
func (v *Visit) Application() *templates.Client {
	if v.Client == nil {
		return nil
	}
	c := v.Client
	return &templates.Client{Name: c.Name, LogoURL: c.LogoURI, PolicyURL: c.PolicyURI, TermsURL: c.TosURI, HomeURL: c.ClientURI}
}
