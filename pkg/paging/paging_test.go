package paging_test

import (
	"testing"

	"github.com/portico-id/portico/pkg/paging"
)

func TestSizesAreBounded(t *testing.T) {
	for size, want := range map[int]int{-5: 50, 0: 50, 1: 1, 200: 200, 201: 200, 1 << 30: 200} {
		if got := (paging.Page{Size: size}).Limit(); got != want {
			t.Errorf("size %d: %d, want %d", size, got, want)
		}
	}
}
