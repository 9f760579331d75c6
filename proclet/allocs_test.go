//go:build !race && !always_moving

// The race detector has pools forget what they hold, and a thread that always moves is another call.

package proclet

import (
	"runtime"
	"testing"
	"unsafe"

	"nuos/drivers/nic/nictest"
)

// TestRemoteCallAllocates fails when a call that a thread makes of a proclet on another machine
// allocates, on either side. The collector empties the pools on the way, so a few are not looked
// at; what a path allocates it allocates for each call.
func TestRemoteCallAllocates(t *testing.T) {
	rts := realRack(t, 2, nictest.Faults{})
	th := rts[0].Current()
	there := mustNew[tally](t, th, Options{On: rts[1].self})
	defer Destroy(th, there)
	here := mustNew[meter](t, th, Options{On: rts[0].self})
	defer Destroy(th, here)
	var allocs float64
	c := &comparison{func(thread *Thread) {
		allocs = testing.AllocsPerRun(2000, func() {
			if _, err := Call(thread, there, (*tally).Add, 1); err != nil {
				t.Error(err)
			}
		})
	}}
	if _, err := Call(th, here, (*meter).Compare, uintptr(unsafe.Pointer(c))); err != nil {
		t.Fatal(err)
	}
	runtime.KeepAlive(c)
	if allocs != 0 {
		t.Errorf("a remote call allocates %v times", allocs)
	}
}
