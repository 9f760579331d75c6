package rack

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/drivers/nic/nictest"
	"nuos/mm"
)

// TestSendChanging sends memory that is written all the time, by an endpoint whose frames have
// checksums. What is not written arrives, and of the rest something that was there.
func TestSendChanging(t *testing.T) {
	a, b, _ := pair(t, nictest.Options{MTU: 9000}, nictest.Faults{Loss: 0.01})
	const size = 4 << 20
	src, err := mm.AllocDMA(size) // not Go's: the race detector is right, but it is meant
	if err != nil {
		t.Fatal(err)
	}
	defer mm.FreeDMA(src)
	want := noise(size, 1)
	copy(mm.Bytes(src), want)
	var over atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := byte(0); !over.Load(); n++ {
			for i := 0; i < size; i += 8192 {
				mm.Bytes(src)[i] = n
			}
		}
	})
	dst := make([]byte, size)
	var sent sync.WaitGroup
	sent.Go(func() {
		if err := a.to(b).sendChanging(t.Context(), 1, []mm.Range{src}); err != nil {
			t.Errorf("sendChanging: %v", err)
		}
	})
	if err := b.to(a).receiveBulk(t.Context(), 1, []mm.Range{rangeOf(dst)}); err != nil {
		t.Errorf("receiveBulk: %v", err)
	}
	sent.Wait()
	over.Store(true)
	writer.Wait()
	for i := 0; i < size; i += 8192 {
		dst[i] = want[i]
	}
	if !bytes.Equal(dst, want) {
		t.Error("what nobody has written arrived altered")
	}
}
