//go:build !metal

package rack

import (
	"bytes"
	"path/filepath"
	"sync"
	"testing"

	"nuos/drivers/nic/link"
	"nuos/mm"
)

// linked is two machines with a cable between them.
func linked(t testing.TB) (a, b *endpoint) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cable")
	open := func(id uint32) *endpoint {
		d, err := link.Open(path, "")
		if err != nil {
			t.Fatal(err)
		}
		return member(t, d, id)
	}
	return open(1), open(2)
}

// memoryOf is n bytes that a card can read, with noise in them.
func memoryOf(t testing.TB, n int, seed uint64) mm.Range {
	t.Helper()
	r, err := mm.AllocDMA(uint64(max(n, 1)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mm.FreeDMA(r) })
	copy(mm.Bytes(r), noise(n, seed))
	return mm.Range{Base: r.Base, Size: uint64(n)}
}

// TestLinkScattered sends what lies in more pieces than a packet can have.
func TestLinkScattered(t *testing.T) {
	a, b := linked(t)
	const n = 2<<20 + 77
	all := memoryOf(t, 2*n, 9)
	var src []mm.Range
	var want []byte
	for at := uint64(0); len(want) < n; at += 4000 {
		r := mm.Range{Base: all.Base + mm.Virt(at), Size: min(2000, uint64(n-len(want)))}
		src, want = append(src, r), append(want, mm.Bytes(r)...)
	}
	got := make([]byte, n)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := a.to(b).sendBulk(t.Context(), 1, src); err != nil {
			t.Errorf("SendBulk: %v", err)
		}
	})
	wg.Go(func() {
		if err := b.to(a).receiveBulk(t.Context(), 1, scatter(got, 3)); err != nil {
			t.Errorf("ReceiveBulk: %v", err)
		}
	})
	wg.Wait()
	if !bytes.Equal(got, want) {
		t.Error("the bytes arrived altered")
	}
}

// TestLink makes calls and transfers of all sizes over a cable, on which pieces lie in the
// other machine's memory until they are in their place.
func TestLink(t *testing.T) {
	a, b := linked(t)
	echo(b, true)
	for _, n := range []int{0, 1, 100, 5000, 100_000, MaxMessage} {
		want := noise(n, 7)
		if got, err := a.to(b).call(t.Context(), ServiceUser, want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("a call of %d bytes: %d came back, %v", n, len(got), err)
		}
	}
	for i, n := range []int{0, 1, 63, 4096, 8193, 61440, 61441, 64 << 10, 1<<20 + 17, 8 << 20} {
		src, dst := memoryOf(t, n, uint64(i)), make([]byte, n)
		var wg sync.WaitGroup
		transfer := uint64(i + 1)
		wg.Go(func() {
			// In two parts, of which the second begins anywhere in a page.
			cut := src.Size / 3
			parts := []mm.Range{{Base: src.Base, Size: cut}, {Base: src.Base + mm.Virt(cut), Size: src.Size - cut}}
			if err := a.to(b).sendBulk(t.Context(), transfer, parts); err != nil {
				t.Errorf("SendBulk of %d bytes: %v", n, err)
			}
		})
		wg.Go(func() {
			if err := b.to(a).receiveBulk(t.Context(), transfer, scatter(dst, i)); err != nil {
				t.Errorf("ReceiveBulk of %d bytes: %v", n, err)
			}
		})
		wg.Wait()
		if !bytes.Equal(dst, mm.Bytes(src)) {
			t.Errorf("%d bytes arrived altered", n)
		}
	}
	for _, e := range []*endpoint{a, b} {
		if s := e.port.Stats(); s.DeviceErrors+s.SendErrors != 0 {
			t.Errorf("%+v", s)
		}
		for why := range drop(dropKinds) {
			if n := e.drops[why].Load(); n != 0 && why != dropRepeat && why != dropBulk {
				t.Errorf("%d frames dropped: %s", n, dropNames[why])
			}
		}
	}
}
