package rack

import (
	"testing"

	"nuos/drivers/nic/nictest"
	"nuos/mm"
)

// TestLeaseStack verifies that stacks get addresses of their own, and that these can
// be used again on another machine.
func TestLeaseStack(t *testing.T) {
	inWorld(t, nictest.Options{}, nictest.Faults{}, func(t *testing.T, w *world) {
		c := w.config()
		c.Machines = 2
		all := w.bootAll(2, c)
		w.agree(all, 2)
		const size = 64 << 20
		seen := map[mm.Virt]bool{}
		for i := range 50 {
			r, err := all[i%2].LeaseStack(size)
			if err != nil {
				t.Fatal(err)
			}
			if r.Size != size || r.Base%size != 0 || !mm.StackArea.Contains(r.Base) || !mm.StackArea.Contains(r.End()-1) || seen[r.Base] {
				t.Fatalf("LeaseStack = %#x, %d bytes; want a new block of the stack area", uint64(r.Base), r.Size)
			}
			seen[r.Base] = true
		}
		a, err := all[0].LeaseStack(size)
		if err != nil {
			t.Fatal(err)
		}
		all[1].ReturnStack(a) // where its thread has ended
		if b, err := all[1].LeaseStack(size); err != nil || b != a {
			t.Errorf("LeaseStack = %#x, %v; want the block that was returned, %#x", uint64(b.Base), err, uint64(a.Base))
		}
	})
}
