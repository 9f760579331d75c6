package main

import (
	"runtime"

	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// idleProclets is how many there are when what each takes is looked at.
const idleProclets = 10_000

// footprint prints the memory of this machine as it is, and what an idle proclet of the
// smallest capacity adds to it: frames, page tables and Go's heap.
func footprint(self rack.MachineID) error {
	machine, before := memory()
	row("Footprint/of=machine", 1, figure{float64(machine), "bytes"})
	t := proclet.Current()
	for range idleProclets {
		ref, err := proclet.New[Callee](t, proclet.Options{Capacity: mm.MinHeap, On: self})
		if err != nil {
			return err
		}
		defer proclet.Destroy(t, ref)
	}
	_, after := memory()
	row("Footprint/of=proclet", idleProclets, figure{float64(after-before) / idleProclets, "bytes"})
	return nil
}

// memory returns what the machine has taken, its Go runtime with all that this has set aside,
// and what of that is in use.
func memory() (taken, used uint64) {
	runtime.GC()
	runtime.GC() // what had finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := mm.Frames()
	frames := (f.Heaps + f.PageTables + f.DMA) * mm.PageSize
	return m.Sys + frames, m.HeapAlloc + frames
}
