package proclet

import (
	"os"
	"runtime"
	"testing"

	"nuos/drivers/nic/nictest"
	"nuos/mm"
)

// The tests' machine has room for TestManyProclets and TestCollectionsSeeNoProclets.
func init() { os.Args = append(os.Args, "mem=8G") }

// small is a state as small proclets have it.
type small struct {
	name String
	n    uint64
	last [16]uint64
}

func (s *small) Add(t *Thread, n uint64) (uint64, error) {
	s.last[s.n%uint64(len(s.last))] = n
	s.n++
	return s.n, s.name.Set(t, "a small proclet")
}

// footprint is what the memory of a process is used for.
type footprint struct{ goHeap, frames, tables, used uint64 }

func footprintOf(rts []*Runtime) (f footprint) {
	runtime.GC()
	runtime.GC() // what had finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := mm.Frames()
	f = footprint{goHeap: m.HeapAlloc, frames: u.Heaps * mm.PageSize, tables: u.PageTables * mm.PageSize}
	for _, rt := range rts {
		for _, r := range rt.all() {
			f.used += r.heap.Stats().Used
		}
	}
	return f
}

func (f footprint) log(t *testing.T, what string, before footprint, n int) {
	per := func(now, then uint64) uint64 { return (now - min(then, now)) / uint64(n) }
	t.Logf("%s: each of %d proclets has %d bytes in its heap, which has %d bytes of frames; %d bytes of page tables and %d bytes of Go's heap beside",
		what, n, f.used/uint64(n), per(f.frames, before.frames), per(f.tables, before.tables), per(f.goHeap, before.goHeap))
}

// A machine holds 100,000 proclets, which cost at most 4 KiB each beside their
// heaps and page tables. They are made, called, moved to another machine, called
// there and destroyed.
func TestManyProclets(t *testing.T) {
	n := 100000
	if testing.Short() {
		n = 10000
	}
	rts := realRack(t, 2, nictest.Faults{})
	th := rts[0].Current()
	before := footprintOf(rts)
	check := func(what string) {
		f := footprintOf(rts)
		f.log(t, what, before, n)
		if over := (f.goHeap - before.goHeap) / uint64(n); over > 4096 {
			t.Errorf("%s: %d bytes of Go's heap for each proclet", what, over)
		}
		if frames := (f.frames - before.frames) / uint64(n); frames > 2*mm.PageSize {
			t.Errorf("%s: %d bytes of frames for each proclet, with %d bytes in it", what, frames, f.used/uint64(n))
		}
	}
	refs := make([]Ref[small], n)
	for i := range refs {
		refs[i] = mustNew[small](t, th, Options{Capacity: mm.MinHeap, On: rts[0].self})
	}
	check("made")
	call := func(want uint64) {
		t.Helper()
		for i, ref := range refs {
			if got, err := Call(th, ref, (*small).Add, uint64(i)); err != nil || got != want {
				t.Fatalf("call of proclet %d: %d, %v, want %d", i, got, err, want)
			}
		}
	}
	call(1)
	check("called")
	for _, ref := range refs {
		move(t, rts[0], rts[1], ref.ID())
	}
	check("moved")
	call(2) // from the other machine now
	for i, ref := range refs {
		if i%1000 != 0 {
			continue
		}
		if err := rts[1].find(ref.ID()).heap.Check(); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range refs {
		if err := Destroy(th, ref); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "all frames to be free", func() bool { return mm.Frames().Heaps*mm.PageSize == before.frames })
	after := footprintOf(rts)
	t.Logf("destroyed: %d bytes of Go's heap are left for each", (after.goHeap-min(before.goHeap, after.goHeap))/uint64(n))
}
