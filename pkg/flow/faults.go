package flow

import "github.com/portico-id/portico/pkg/fault"

func unknown(rule string) *fault.Error {
	return fault.New(fault.NotFound, "flow_unknown", "This sign-in is not known here, or it ended long ago.").
		Under(rule).WithHint("The address was altered, or the request was made more than a day ago.")
}

func foreign() *fault.Error {
	return fault.New(fault.Denied, "flow_foreign", "This sign-in was started in another browser.").
		Under("RFC 9700 §4.7 the interaction stays in the browser that began it").
		WithHint("The browser cookie is missing or belongs to another browser: a copied link, or cookies are blocked.")
}

func over() *fault.Error {
	return fault.New(fault.Gone, "flow_over", "This sign-in is over: it was finished or took too long.").
		Under("RFC 6749 §4.1.2 one request is answered once, within its time")
}

// lost is over for who came second: the flow at hand looked open.
func lost() *fault.Error {
	f := over()
	f.Kind = fault.Conflict
	return f
}
