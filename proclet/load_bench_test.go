//go:build !metal

package proclet

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"nuos/drivers/nic"
	"nuos/drivers/nic/link"
	"nuos/rack"
)

// BenchmarkRemoteLoad has threads of many proclets call one on another machine at the same time,
// over a cable between two machines of this process. It reports what both machines' processors
// do for a call, and how many frames there are.
func BenchmarkRemoteLoad(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			cable := filepath.Join(b.TempDir(), "cable")
			rts := rackOn(b, 2, func() nic.Device {
				d, err := link.Open(cable, "")
				if err != nil {
					b.Fatal(err)
				}
				return d
			})
			th := rts[0].Current()
			there := mustNew[tally](b, th, Options{On: rts[1].self})
			defer Destroy(th, there)
			var left atomic.Int64
			c := &comparison{func(t *Thread) {
				for left.Add(-1) >= 0 {
					if _, err := Call(t, there, (*tally).Add, 1); err != nil {
						b.Error(err)
						return
					}
				}
			}}
			froms := make([]Ref[meter], callers)
			for i := range froms {
				froms[i] = mustNew[meter](b, th, Options{On: rts[0].self})
				defer Destroy(th, froms[i])
			}
			load := func(calls int) {
				left.Store(int64(calls))
				var all sync.WaitGroup
				for _, from := range froms {
					all.Go(func() {
						if _, err := Call(rts[0].Current(), from, (*meter).Compare, uintptr(unsafe.Pointer(c))); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
			}
			load(1000)
			frames, busy := framesOf(rts), processorTime(b)
			b.ResetTimer()
			load(b.N)
			b.ReportMetric(float64(framesOf(rts)-frames)/float64(b.N), "frames/op")

			b.ReportMetric(float64(processorTime(b)-busy)/float64(b.N), "cpu-ns/op")
		})
	}
}

func framesOf(rts []*Runtime) (n uint64) {
	for _, rt := range rts {
		n += rt.net.(*rack.Rack).Port().Stats().TxFrames
	}
	return n
}

// processorTime is how long this process has run so far, in nanoseconds.
func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
