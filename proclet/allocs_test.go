//go:build !race && !always_moving

// The race detector has pools forget what they hold, and a thread that always moves is another call.

package proclet

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"nuos/drivers/nic/nictest"
)

// Bytes takes any number of bytes and returns as many as it is asked for, which are the proclet's.
func (s *tally) Bytes(t *Thread, a bytesAsked) ([]byte, error) { return theBytes[:a.Back], nil }

type bytesAsked struct {
	Given []byte
	Back  int
}

var theBytes [64 << 10]byte

// TestRemoteCallAllocates fails when a call that a thread makes of a proclet on another machine
// allocates, on either side, whatever the size of its argument and its result is. The collector
// empties the pools on the way, so a few are not looked at; what a path allocates it allocates for
// each call.
func TestRemoteCallAllocates(t *testing.T) {
	rts := realRack(t, 2, nictest.Faults{})
	th := rts[0].Current()
	there := mustNew[tally](t, th, Options{On: rts[1].self})
	defer Destroy(th, there)
	here := mustNew[meter](t, th, Options{On: rts[0].self})
	defer Destroy(th, here)
	calls := map[string]func(*Thread) error{
		"a number": func(thread *Thread) error { _, err := Call(thread, there, (*tally).Add, 1); return err },
	}
	for _, n := range []int{64, 1 << 10, 4 << 10, 16 << 10, 64 << 10} {
		calls[fmt.Sprintf("an argument of %d bytes", n)] = func(thread *Thread) error {
			_, err := Call(thread, there, (*tally).Bytes, bytesAsked{theBytes[:n], 1})
			return err
		}
		calls[fmt.Sprintf("a result of %d bytes", n)] = func(thread *Thread) error {
			_, err := Call(thread, there, (*tally).Bytes, bytesAsked{nil, n})
			return err
		}
	}
	for name, call := range calls {
		const times = 500
		var allocs float64
		c := &comparison{func(thread *Thread) {
			allocs = testing.AllocsPerRun(times, func() {
				thread.Scope(func() {
					if err := call(thread); err != nil {
						t.Error(err)
					}
				})
			})
		}}
		if _, err := Call(th, here, (*meter).Compare, uintptr(unsafe.Pointer(c))); err != nil {
			t.Fatal(err)
		}
		runtime.KeepAlive(c)
		if allocs != 0 {
			t.Errorf("%s: a remote call allocates %v times", name, allocs)
		}
	}
}
