//go:build metal

// Memory is an image that uses the machine's memory from goroutines: heaps and
// device memory are mapped, marked, checked through the direct map and freed,
// while the collector runs. It ends with "done" if all is well.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"nuos/mm"
)

var failures atomic.Int32

func fail(format string, args ...any) {
	failures.Add(1)
	fmt.Printf("FAIL: "+format+"\n", args...)
}

func main() {
	fmt.Printf("frames: %+v\n", mm.Frames())
	before := mm.Frames()
	stop := make(chan bool)
	go collect(stop)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for round := range 20 {
				use(worker, round)
			}
		}()
	}
	wg.Wait()
	close(stop)
	after := mm.Frames()
	if after.Heaps != before.Heaps || after.DMA != before.DMA || after.Total != before.Total {
		fail("frames: %+v before, %+v after", before, after)
	}
	if before.Total < 1<<30/mm.PageSize { // zeroing more takes an emulator long
		exhaust()
	}
	watch()
	wild()
	fmt.Printf("frames: %+v\n", mm.Frames())
	if failures.Load() != 0 {
		os.Exit(1)
	}
	fmt.Println("done")
}

// collect keeps the collector busy, which maps, scavenges and unmaps.
func collect(stop chan bool) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		keep := make([][]byte, 0, 64)
		for i := range 64 {
			keep = append(keep, make([]byte, 1000*(i+1)))
		}
		runtime.KeepAlive(keep)
		runtime.GC()
	}
}

// use maps a heap and a DMA buffer, marks every page, and checks the marks
// through the direct map.
func use(worker, round int) {
	size := uint64(1+(round*7+worker)%600) * mm.PageSize
	r := mm.Range{Base: mm.HeapArea.Base + mm.Virt(worker)<<30 + mm.Virt(round%3)*mm.PageSize, Size: size}
	if err := mm.Map(r); err != nil {
		fail("%v", err)
		return
	}
	if err := mm.Map(r); !errors.Is(err, mm.ErrMapped) {
		fail("mapped twice: %v", err)
	}
	dma, err := mm.AllocDMA(size / 2)
	if err != nil {
		fail("%v", err)
		return
	}
	for _, x := range []mm.Range{r, dma} {
		b := mm.Bytes(x)
		for i := range b {
			if b[i] != 0 {
				fail("byte %d of %#x is %d", i, x.Base, b[i])
				break
			}
		}
		for i := 0; i < len(b); i += mm.PageSize {
			b[i] = byte(1 + worker)
		}
	}
	runtime.Gosched()
	for v := r.Base; v < r.End(); {
		p, n, ok := mm.Translate(v)
		if !ok || mm.Bytes(mm.Range{Base: mm.Direct(p), Size: 1})[0] != byte(1+worker) {
			fail("%#x is at %#x, %v", v, p, ok)
			break
		}
		v += mm.Virt(n)
	}
	if p, n, ok := mm.Translate(dma.Base); !ok || n < dma.Size || mm.Direct(p) != dma.Base {
		fail("device memory %#x at %#x, %d bytes, %v", dma, p, n, ok)
	}
	if err := errors.Join(mm.Unmap(r), mm.FreeDMA(dma)); err != nil {
		fail("%v", err)
	}
	if err := mm.Unmap(r); !errors.Is(err, mm.ErrNotMapped) {
		fail("unmapped twice: %v", err)
	}
}

// exhaust maps all there is and checks that nothing is lost.
func exhaust() {
	before := mm.Frames()
	r := mm.Range{Base: mm.HeapArea.Base + 1<<40, Size: before.Total * mm.PageSize}
	if err := mm.Map(r); !errors.Is(err, mm.ErrNoMemory) {
		fail("all memory mapped twice over: %v", err)
	}
	if after := mm.Frames(); after.Heaps != before.Heaps || after.PageTables > before.PageTables {
		fail("frames: %+v before, %+v after running out", before, after)
	}
	runtime.GC()
}

// wild touches addresses that are not mapped: each must panic, none be given
// a frame.
func wild() {
	for _, v := range []mm.Virt{0, 8, 0x1234_5000, mm.HeapArea.Base + 5<<40, mm.AnonArea.End() - mm.PageSize, mm.DeviceArea.End() - 8} {
		func() {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			defer func() {
				if recover() == nil {
					fail("%#x can be read", uint64(v))
				}
			}()
			fmt.Println(mm.Bytes(mm.Range{Base: v, Size: 1})[0])
		}()
	}
}
