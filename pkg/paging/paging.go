// Package paging holds cursors and page bounds shared by every list.
package paging

// Bounds of a page.
const (
	DefaultSize = 50
	MaxSize     = 200
)

// Page asks for a part of a list. Cursor is the id of the last item of the
// page before, empty for the first page; an unknown cursor yields an empty
// page, never an error that tells whether the id exists.
type Page struct {
	Cursor string
	Size   int
}

// Limit returns the size within its bounds.
func (p Page) Limit() int {
	switch {
	case p.Size <= 0:
		return DefaultSize
	case p.Size > MaxSize:
		return MaxSize
	default:
		return p.Size
	}
}
