package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// floorPeers are what nobody can go below.
var floorPeers = []peer{
	{"ring", serveRing, measureRing},
	{"page-fault", nil, measureFaults},
}

// line is a message in shared memory: a number that says that the bytes beside it are
// there, on a cache line that only one of the two processes writes. The processors
// prefetch the next line, which is left empty therefore.
type line struct {
	number atomic.Uint64
	bytes  [56]byte
	_      [64]byte
}

// ring is what two processes share: a line each way.
type ring struct{ there, back line }

// openRing maps the ring of the folder, which whoever comes first makes.
func openRing(folder string) (*ring, error) {
	f, err := os.OpenFile(filepath.Join(folder, "ring"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		return nil, err
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	// A page is aligned to more than a line, and is never unmapped.
	return (*ring)(unsafe.Pointer(unsafe.SliceData(b))), nil
}

// serveRing returns every message. It never ends, and never gives up its processor.
func serveRing(folder string) error {
	r, err := openRing(folder)
	if err != nil {
		return err
	}
	for next := uint64(1); ; next++ {
		for r.there.number.Load() != next {
		}
		r.back.bytes = r.there.bytes
		r.back.number.Store(next)
	}
}

// measureRing measures a message of 56 bytes there and back.
func measureRing(folder string) error {
	r, err := openRing(folder)
	if err != nil {
		return err
	}
	const n = 50_000
	took := make([]time.Duration, 0, n)
	for i := range uint64(2*n) + 1 {
		start := time.Now()
		r.there.bytes[0] = byte(i)
		r.there.number.Store(i + 1)
		for polls := 1; r.back.number.Load() != i+1; polls++ {
			if polls%(1<<20) == 0 && time.Since(start) > patience {
				return fmt.Errorf("message %d does not come back", i)
			}
		}
		if r.back.bytes[0] != byte(i) {
			return fmt.Errorf("message %d came back altered", i)
		}
		if i > n {
			took = append(took, time.Since(start))
		}
	}
	row("RingRoundTrip/bytes=56", len(took), quantiles(took)...)
	return nil
}

// measureFaults measures the first write to a page of 4 KiB, of a process's own memory and
// of memory that processes share.
func measureFaults(folder string) error {
	runtime.LockOSThread()
	for _, kind := range []struct {
		name  string
		flags int
	}{{"private", syscall.MAP_PRIVATE}, {"shared", syscall.MAP_SHARED}} {
		const size, page, rounds = 64 << 20, 4096, 5
		took := make([]time.Duration, rounds)
		for i := range took {
			b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, kind.flags|syscall.MAP_ANON)
			if err != nil {
				return err
			}
			if err := syscall.Madvise(b, syscall.MADV_NOHUGEPAGE); err != nil {
				return err
			}
			start := time.Now()
			for at := 0; at < size; at += page {
				b[at] = 1
			}
			took[i] = time.Since(start) / (size / page)
			syscall.Munmap(b)
		}
		slices.Sort(took)
		row("PageFault/memory="+kind.name, rounds*size/page, figure{float64(took[rounds/2]), "ns/op"})
	}
	return nil
}
