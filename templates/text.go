package templates

// textBound is the most characters of a value in a text message.
const textBound = 40

// CodeText says a one-time code in the line of a text message.
func (s *Set) CodeText(lang Lang, code string) (string, error) {
	v := &view{Frame: Frame{Lang: s.own(lang)}, Look: s.lookOf("")}
	return v.T("onetime.text", "Brand", bounded(v.BrandName(), textBound), "Code", bounded(code, textBound))
}
