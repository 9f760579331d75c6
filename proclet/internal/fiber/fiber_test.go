package fiber

import (
	"nuos/mm"
	"testing"
	"unsafe"
)

var ended = make(chan *Fiber, 100)

func init() {
	Hooks.Ended = func(f *Fiber) { ended <- f }
	Hooks.Detached = func(f *Fiber) { f.Start() }
}

type testHeader struct {
	Fiber
	n int
}

func region(i int) mm.Range {
	return mm.Range{Base: mm.StackArea.Base + mm.Virt(i)*RegionSize, Size: RegionSize}
}

func TestFirst(t *testing.T) {
	f := New(region(1), func(f *Fiber) {
		h := (*testHeader)(unsafe.Pointer(f))
		for range 10 {
			f.Call(func(f *Fiber) {
				h.n++
				if err := f.Leave(); err != nil {
					panic(err)
				}
			})
		}
	})
	f.Start()
	f = <-ended
	if h := (*testHeader)(unsafe.Pointer(f)); h.n != 10 {
		t.Error(h.n)
	}
	f.Free()
}

func BenchmarkStart(b *testing.B) {
	for range b.N {
		f := New(region(1), func(f *Fiber) {})
		f.Start()
		(<-ended).Free()
	}
}
func BenchmarkGo(b *testing.B) {
	for range b.N {
		go func() { ended <- nil }()
		<-ended
	}
}
