package proclet

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"testing"
	"time"

	"nuos/mm"
)

// store is a state that holds much.
type store struct {
	entries Map[uint64, Bytes]
}

// Fill adds n entries of 1 KiB.
func (s *store) Fill(t *Thread, n uint64) (int, error) {
	value := make([]byte, 1000)
	for i := range n {
		b, err := s.entries.Entry(t, i)
		if err != nil {
			return 0, err
		}
		if err := b.Set(t, value); err != nil {
			return 0, err
		}
	}
	return s.entries.Len(), nil
}

// collections is what a number of garbage collections cost.
type collections struct {
	pause time.Duration // stopped, on average
	cpu   float64       // seconds of processor time of the collector, each
}

func collect(n int) (c collections) {
	read := func() (cpu float64) {
		s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
		metrics.Read(s)
		return s[0].Value.Float64()
	}
	runtime.GC()
	var before, after debug.GCStats
	debug.ReadGCStats(&before)
	cpu := read()
	for range n {
		runtime.GC()
	}
	debug.ReadGCStats(&after)
	c.pause = (after.PauseTotal - before.PauseTotal) / time.Duration(n)
	c.cpu = (read() - cpu) / float64(n)
	return c
}

// freeMemory returns how many bytes of memory this computer has to spare.
func freeMemory() uint64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 1 << 30
	}
	_, rest, _ := bytes.Cut(info, []byte("MemAvailable:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 1 << 30
	}
	kib, _ := strconv.ParseUint(string(fields[0]), 10, 54)
	return kib << 10
}

// fullAndEmpty compares collections with total bytes in proclets with those on an
// empty machine, before and after.
func fullAndEmpty(t testing.TB, total uint64, rounds int) (used uint64, full, before, after collections) {
	const each = 64 << 20 // bytes of entries in a proclet
	_, rts := newSegment(t, 1)
	th := rts[0].Current()
	before = collect(rounds)
	var refs []Ref[store]
	for range total / each {
		ref := mustNew[store](t, th, Options{Capacity: 2 * each})
		if n, err := Call(th, ref, (*store).Fill, each/1024); err != nil || n != each/1024 {
			t.Fatalf("%d entries, %v", n, err)
		}
		refs = append(refs, ref)
	}
	for _, i := range rts[0].Proclets() {
		used += i.Used
	}
	full = collect(rounds)
	for _, ref := range refs {
		if err := Destroy(th, ref); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the memory to be given back", func() bool { return mm.Frames().Heaps == 0 })
	return used, full, before, collect(rounds)
}

// What proclets hold costs the garbage collector nothing: its pauses and its
// processor time are as without them. The limit allows for much noise; were the
// data of the collector's concern, the times would be hundreds of times as long.
func TestCollectionsSeeNoProclets(t *testing.T) {
	total := min(uint64(1<<30), freeMemory()/8)
	used, full, before, after := fullAndEmpty(t, total, 30)
	if used < total/10*9 {
		t.Errorf("%d bytes are used, want %d", used, total)
	}
	t.Logf("%d MiB in proclets: pause %v (empty: %v, %v), processor time %.2f ms (empty: %.2f, %.2f)",
		used>>20, full.pause, before.pause, after.pause, full.cpu*1e3, before.cpu*1e3, after.cpu*1e3)
	// A collector reads a few GiB/s. A tenth of the time that it would take for all
	// that is there is beyond noise.
	if limit := 3*max(before.cpu, after.cpu) + float64(used)/(4<<30)/10; full.cpu > limit {
		t.Errorf("a collection takes %.2f ms, on an empty machine %.2f and %.2f ms", full.cpu*1e3, before.cpu*1e3, after.cpu*1e3)
	}
}

// BenchmarkCollections does the same with 4 GiB, if the computer can spare that,
// and reports ratios.
func BenchmarkCollections(b *testing.B) {
	used, full, before, after := fullAndEmpty(b, min(uint64(4<<30), freeMemory()/3), 300)
	b.ReportMetric(float64(used)/(1<<30), "GiB")
	b.ReportMetric(2*float64(full.pause)/float64(before.pause+after.pause), "pause-times-empty")
	b.ReportMetric(2*full.cpu/(before.cpu+after.cpu), "cpu-times-empty")
}
