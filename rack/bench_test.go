package rack

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
	"nuos/mm"
)

// BenchmarkCall compares a call with the floor: a frame of the same size there
// and back over two bare ports on the same segment. Both wait by polling.
func BenchmarkCall(b *testing.B) {
	for _, inline := range []bool{true, false} {
		name := "goroutine"
		if inline {
			name = "inline"
		}
		b.Run(name, func(b *testing.B) {
			x, y, _ := pair(b, nictest.Options{}, nictest.Faults{})
			echo(y, inline)
			s, req, ctx := x.to(y), make([]byte, 64), context.Background()
			if _, err := s.call(ctx, ServiceUser, req); err != nil {
				b.Fatal(err)
			}
			floor := rawRoundTrip(b, 2000)
			b.ReportAllocs()
			b.ResetTimer()
			began := time.Now()
			for range b.N {
				if _, err := s.call(ctx, ServiceUser, req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(time.Since(began))/float64(b.N)/float64(floor), "x-of-raw")
		})
	}
}

// rawRoundTrip is how long a frame takes between two bare ports and back.
func rawRoundTrip(b *testing.B, n int) time.Duration {
	x, y, _ := pair(b, nictest.Options{}, nictest.Faults{})
	frame := func(from, to *endpoint) []byte {
		f := make([]byte, dataAt+64)
		r := from.routeTo(to.mac, to.port.Addr().Addr())
		putHeaders(f, &r, len(f), kindPing, 1)
		return f
	}
	var back atomic.Uint64
	x.cancel()
	y.cancel()
	there, reply := frame(x, y), frame(y, x)
	x.port.Claim(ours, func([]byte) { back.Add(1) })
	y.port.Claim(ours, func([]byte) { y.send1(reply) })
	began := time.Now()
	for i := range n {
		x.send1(there)
		for back.Load() != uint64(i+1) {
			x.port.Poll()
			y.port.Poll()
		}
	}
	return time.Since(began) / time.Duration(n)
}

// BenchmarkBulk compares a transfer with copying the same bytes.
func BenchmarkBulk(b *testing.B) {
	for _, size := range []int{64 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			x, y, _ := pair(b, nictest.Options{}, nictest.Faults{})
			x.verifyBulk, y.verifyBulk = false, false
			src, dst := noise(size, 1), make([]byte, size)
			began := time.Now()
			copy(dst, src)
			floor := time.Since(began)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			began = time.Now()
			for i := range b.N {
				var wg sync.WaitGroup
				wg.Go(func() {
					if err := x.to(y).sendBulk(context.Background(), uint64(i+1), []mm.Range{rangeOf(src)}); err != nil {
						b.Error(err)
					}
				})
				if err := y.to(x).receiveBulk(context.Background(), uint64(i+1), []mm.Range{rangeOf(dst)}); err != nil {
					b.Error(err)
				}
				wg.Wait()
			}
			b.ReportMetric(float64(time.Since(began))/float64(b.N)/float64(floor), "x-of-copy")
		})
	}
}

// BenchmarkIdleConnection reports the memory of a machine's end of a connection
// that has been used and is idle.
func BenchmarkIdleConnection(b *testing.B) {
	const peers = 100
	seg := nictest.New(b, nictest.Options{})
	hub := member(b, seg.Attach(), 1)
	echo(hub, true)
	var others []*endpoint
	for i := range peers {
		others = append(others, member(b, seg.Attach(), uint32(i+2)))
	}
	before := inUse()
	for _, o := range others {
		if _, err := o.to(hub).call(context.Background(), ServiceUser, make([]byte, 64)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(inUse()-before)/(2*peers), "bytes")
	b.ReportMetric(0, "ns/op")
}

// inUse is the memory of this process that is in use.
func inUse() uint64 {
	runtime.GC()
	runtime.GC() // what had finalizers
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
