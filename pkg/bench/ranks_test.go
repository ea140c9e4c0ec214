package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// median returns the middle of the sample.
func median(sample []float64) float64 {
	sorted := slices.Sorted(slices.Values(sample))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// rankTest returns how likely two samples of the same source differ in rank at
// least as much as a and b do (Mann and Whitney, by the normal approximation):
// it takes no shape of the times for granted, and one slow answer weighs no
// more than another.
func rankTest(a, b []float64) float64 {
	type one struct {
		value float64
		of    bool // of a
	}
	var all []one
	for _, v := range a {
		all = append(all, one{v, true})
	}
	for _, v := range b {
		all = append(all, one{v, false})
	}
	slices.SortFunc(all, func(x, y one) int {
		switch {
		case x.value < y.value:
			return -1
		case x.value > y.value:
			return 1
		}
		return 0
	})
	var ranks float64 // of a; equal values share theirs
	for i := 0; i < len(all); {
		end := i
		for end < len(all) && all[end].value == all[i].value { //nolint:floateq // ties are exact
			end++
		}
		for _, o := range all[i:end] {
			if o.of {
				ranks += float64(i+end+1) / 2
			}
		}
		i = end
	}
	n, m := float64(len(a)), float64(len(b))
	u := ranks - n*(n+1)/2
	z := math.Abs(u-n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
	return math.Erfc(z / math.Sqrt2)
}

func TestRankTestTellsSamplesApart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	sample := func(n int, base float64) []float64 {
		s := make([]float64, n)
		for i := range s {
			s[i] = base + random.ExpFloat64()
		}
		return s
	}
	if p := rankTest(sample(200, 20), sample(200, 20.5)); p > 1e-4 {
		t.Errorf("half a standard deviation apart: p = %g, want it found", p)
	}
	found := 0
	for range 200 {
		if rankTest(sample(100, 20), sample(120, 20)) < 0.01 {
			found++
		}
	}
	if found > 8 {
		t.Errorf("%d of 200 equal pairs differ at 0.01, want about 2", found)
	}
	if p := rankTest([]float64{1, 1, 1}, []float64{1, 1, 1}); p < 0.99 {
		t.Errorf("all equal: p = %g, want 1", p)
	}
	if got := median([]float64{9, 1, 4, 2}); got != 3 {
		t.Errorf("median %g, want 3", got)
	}
}
