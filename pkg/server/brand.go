package server

import (
	"fmt"

	"github.com/portico-id/portico/pkg/brand"
	"github.com/portico-id/portico/storage"
)

// openBrand reads the operator's look. A broken one stops the start of a
// server: people would see it. A shell goes on with Portico's, because what it
// is needed for may be more urgent, and doctor tells.
func (s *Server) openBrand(serving bool) error {
	s.brand, s.brandProblem = brand.Load(s.cfg.BrandingDir)
	if s.brandProblem == nil {
		return nil
	}
	s.brandProblem = fmt.Errorf("PORTICO_BRANDING_DIR %s: %w", s.cfg.BrandingDir, s.brandProblem)
	if serving {
		return s.brandProblem
	}
	s.brand = brand.Portico()
	return nil
}

func (s *Server) examineBrand() storage.Finding {
	f := storage.Finding{Check: "branding", Status: storage.OK, Detail: "Portico's own look"}
	switch {
	case s.brandProblem != nil:
		f.Status, f.Detail = storage.Fail, s.brandProblem.Error()
		f.Hint = "portico serve does not start with it; docs/branding.md says what may stand in the directory"
	case s.cfg.BrandingDir != "":
		f.Detail = fmt.Sprintf("%s is sound; pages and letters speak %d languages", s.cfg.BrandingDir, len(s.brand.Templates.Languages()))
		f.Hint = "a change in it is seen after a restart"
	}
	return f
}
