package ring

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestRingAgainstSlice runs a long random history on a Ring and on a slice.
func TestRingAgainstSlice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var r Ring[int]
	var want []int
	for i := range 200_000 {
		switch op := rnd.IntN(5); {
		case i%1009 == 0:
			n := len(want) - min(len(want), rnd.IntN(2*keep))
			r.Truncate(n)
			want = want[:n]
		case op < 2 || (i/5000)%2 == 0 && op == 2:
			r.Push(i)
			want = append(want, i)
		case len(want) == 0:
		case op == 3:
			if got := r.PopBack(); got != want[len(want)-1] {
				t.Fatalf("step %d: PopBack = %d, want %d", i, got, want[len(want)-1])
			}
			want = want[:len(want)-1]
		default:
			if got := r.Pop(); got != want[0] {
				t.Fatalf("step %d: Pop = %d, want %d", i, got, want[0])
			}
			want = want[1:]
		}
		if r.Len() != len(want) {
			t.Fatalf("step %d: Len = %d, want %d", i, r.Len(), len(want))
		}
		if i%997 == 0 {
			got := make([]int, 0, len(want))
			for j := range r.Len() {
				got = append(got, *r.At(j))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: %v, want %v", i, got, want)
			}
		}
	}
}

func TestRingGivesMemoryBack(t *testing.T) {
	var r Ring[[]byte]
	for range 10 * keep {
		r.Push(make([]byte, 1))
	}
	for r.Len() > 0 {
		r.Pop()
	}
	if r.buf != nil {
		t.Errorf("an empty ring keeps %d elements' memory", len(r.buf))
	}
}

// TestBusyRingKeepsWhatItNeeds: no memory is made anew for each burst of up to so many, and none is
// kept for larger ones, or for those that were.
func TestBusyRingKeepsWhatItNeeds(t *testing.T) {
	var r Ring[[]byte]
	burst := func(n int) {
		for range n {
			r.Push(nil)
		}
		for r.Len() > 0 {
			r.Pop()
		}
	}
	r.Busy(8 * keep)
	if n := testing.AllocsPerRun(10, func() { burst(3 * keep) }); n > 0 {
		t.Errorf("%v allocations for each burst of %d", n, 3*keep)
	}
	burst(1)
	if r.buf != nil {
		t.Errorf("a ring that needs room for one element keeps it for %d", len(r.buf))
	}
	burst(9 * keep)
	if r.buf != nil {
		t.Errorf("a ring that is busy with up to %d elements keeps room for %d", 8*keep, len(r.buf))
	}
}

func TestTruncateGivesMemoryBack(t *testing.T) {
	for _, n := range []int{0, 1, keep, 2 * keep} {
		var r Ring[int]
		for i := range 16 * keep {
			r.Push(i)
		}
		r.Truncate(n)
		if r.Len() != n || len(r.buf) > max(keep, 4*n) {
			t.Errorf("after Truncate(%d) of %d there are %d, and memory for %d", n, 16*keep, r.Len(), len(r.buf))
		}
		for i := range n {
			if got := r.Pop(); got != i {
				t.Fatalf("after Truncate(%d) element %d is %d", n, i, got)
			}
		}
	}
}
