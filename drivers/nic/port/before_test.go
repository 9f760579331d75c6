package port

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
)

// TestBefore has a claimant gather something whenever the pump is awake, which is sent when the card
// is looked at next: nothing is left behind when the pump parks.
func TestBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seg := nictest.New(t, nictest.Options{})
		a, b := New(seg.Attach(), netip.Prefix{}), New(seg.Attach(), netip.Prefix{})
		defer a.Close()
		defer b.Close()
		var gathered atomic.Int32
		atOnce, later, last := 0, 0, false
		b.ClaimPieces(ofKind(1), func(_ nic.Frame, more bool) {
			last = !more
			if b.Pumping() {
				gathered.Add(1)
				later++
			} else {
				atOnce++
			}
		}, func() { gathered.Store(0) })
		for n := range uint32(50) {
			for range n%3 + 1 {
				send(t, a, frame(b.MAC(), a.MAC(), 1, n))
			}
			synctest.Wait()
			if left := gathered.Load(); left != 0 || !last {
				t.Fatalf("%d are left when the pump is parked, after a last frame %v", left, last)
			}
			time.Sleep(time.Second)
			if b.Pumping() {
				t.Fatal("the pump is awake while nothing happens")
			}
		}
		if later == 0 || atOnce+later != 99 {
			t.Errorf("%d frames while the pump was awake, %d while it was not, of 99", later, atOnce)
		}
	})
}
