package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// collapse makes large pages of small ones, and these again, while threads on all
// processors write to them: nothing that is written is lost.
func collapse([]string) error {
	const (
		large, pages = 2 << 20, 512
		base         = 0x2000_8000_0000 // where nobody maps anything who does not ask for it
		advice       = 25               // MADV_COLLAPSE
		rounds       = 40
	)
	call := func(nr uintptr, args ...uintptr) error {
		var a [6]uintptr
		copy(a[:], args)
		if _, _, e := syscall.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
			return e
		}
		return nil
	}
	const fixedNoReplace = 0x100000
	if err := call(syscall.SYS_MMAP, base, large, readWrite, syscall.MAP_ANON|syscall.MAP_PRIVATE|fixedNoReplace, ^uintptr(0)); err != nil {
		return err
	}
	defer call(syscall.SYS_MUNMAP, base, large)
	seed := uint64(time.Now().UnixNano())
	var over atomic.Bool
	var wg sync.WaitGroup
	var total atomic.Uint64
	failures := make(chan error, runtime.NumCPU())
	for writer := range runtime.NumCPU() {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(writer)))
			var wrote [pages]uint64
			word := func(page int) *uint64 { return (*uint64)(at(uintptr(base + 4096*page + 8*writer))) }
			for n := uint64(0); !over.Load() || n < 10000; n++ {
				page := random.IntN(pages)
				if got := *word(page); got != wrote[page] {
					failures <- fmt.Errorf("seed %#x: page %d has %d of writer %d, want %d", seed, page, got, writer, wrote[page])
					return
				}
				wrote[page]++
				*word(page) = wrote[page]
				total.Add(1)
			}
		})
	}
	random := rand.New(rand.NewPCG(seed, ^uint64(0)))
	collapsed := 0
	var err error
	for range rounds {
		for seen := total.Load(); total.Load() < seen+1000 && len(failures) == 0; {
			runtime.Gosched()
		}
		e := call(syscall.SYS_MADVISE, base, large, advice)
		switch e {
		case nil:
			collapsed++
		case syscall.EAGAIN, syscall.EBUSY, syscall.ENOMEM: // not now
		default:
			err = e
		}
		// Other advice for one page in the middle, and small pages they are.
		page := uintptr(base + 4096*random.IntN(pages))
		const noHuge, huge = 15, 14
		err = errors.Join(err, call(syscall.SYS_MADVISE, page, 4096, noHuge), call(syscall.SYS_MADVISE, base, large, huge))
	}
	over.Store(true)
	wg.Wait()
	if len(failures) != 0 {
		err = errors.Join(err, <-failures)
	}
	if err == nil && collapsed == 0 {
		err = errors.New("nothing was collapsed")
	}
	fmt.Printf("collapse: seed %#x, %d times, %d writes\n", seed, collapsed, total.Load())
	return err
}
