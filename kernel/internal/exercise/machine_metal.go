//go:build metal

package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"nuos/kernel"
	"nuos/mm"
)

// Exercises of what only our kernel has.

func init() {
	exercises["idle"] = idle
	exercises["accounts"] = accounts
	exercises["processors"] = processors
	exercises["exhaust"] = exhaust
	exercises["clock"] = setClock
}

// idle does nothing for args[0] milliseconds and looks at what the kernel had
// to do meanwhile.
func idle(args []string) error {
	ms, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	runtime.GC()
	time.Sleep(50 * time.Millisecond) // what the collection left to do in the background
	before := kernel.Stats()
	time.Sleep(time.Duration(ms) * time.Millisecond)
	after := kernel.Stats()
	calls, switches := after.Calls-before.Calls, after.Switches-before.Switches
	fmt.Printf("idle: %d system calls, %d switches, %d interrupts, %v of processor time in %d ms\n", calls, switches,
		after.Interrupts-before.Interrupts, time.Duration(after.Busy-before.Busy), ms)
	if most := uint64(ms)/2 + 50; calls > most || switches > most {
		return errors.New("that is not idle")
	}
	return nil
}

// accounts checks that what threads and heaps take is given back, to the frame.
func accounts([]string) error {
	if err := threads(nil); err != nil { // what is made once is made now
		return err
	}
	before := settled()
	for round := range 3 {
		if err := threads(nil); err != nil {
			return err
		}
		for size := uint64(mm.PageSize); size <= 4<<20; size *= 4 {
			r := mm.Range{Base: mm.HeapArea.Base + 1<<30, Size: size}
			if err := mm.Map(r); err != nil {
				return err
			}
			if n := mm.Frames().Heaps; n != size/mm.PageSize {
				return fmt.Errorf("a heap of %d bytes takes %d frames", size, n)
			}
			mm.Unmap(r)
		}
		if after := settled(); after != before {
			return fmt.Errorf("round %d: frames were %+v, are %+v", round, before, after)
		}
	}
	return nil
}

// settled waits until no thread begins or ends any more and returns the frames
// in use. What Go keeps for later is not counted: its memory, with the page
// tables, and threads, each of which is a frame of the kernel's.
func settled() mm.Usage {
	s := kernel.Stats()
	for n := uint64(0); n != s.Threads; s = kernel.Stats() {
		n = s.Threads
		time.Sleep(20 * time.Millisecond)
	}
	u := mm.Frames()
	u.Kernel -= s.Threads
	u.Free, u.Program, u.PageTables = 0, 0, 0
	return u
}

// processors wants args[0] of them.
func processors(args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if got := runtime.NumCPU(); got != want || kernel.Stats().Processors != uint64(want) {
		return fmt.Errorf("%d processors, the kernel says %d, want %d", got, kernel.Stats().Processors, want)
	}
	return nil
}

// exhaust asks for memory until there is none. Besides touching its own it can have a
// system call touch it, or the pages of a file, or ask for too much at once.
func exhaust(args []string) error {
	if err := os.WriteFile("/tmp/ballast", make([]byte, 2<<20), 0o600); err != nil {
		return err
	}
	touch := func(page []byte) { page[0] = 1 }
	grow := func() ([]byte, error) { return make([]byte, 1<<20), nil }
	if len(args) > 0 {
		zero, err := os.Open("/dev/zero")
		if err != nil {
			return err
		}
		switch args[0] {
		case "call":
			touch = func(page []byte) { zero.Read(page[:1]) }
		case "file":
			f, err := os.Create("/tmp/mapped")
			if err != nil {
				return err
			}
			if err := f.Truncate(1 << 30); err != nil {
				return err
			}
			grow = func() ([]byte, error) { return mapShared(f, 0, 1<<30) }
		case "huge":
			huge := make([]byte, 1<<40)
			huge[0] = 1
			return errors.New("there is a terabyte")
		}
	}
	var keep [][]byte
	for range 1 << 16 {
		b, err := grow()
		if err != nil {
			return err
		}
		for i := 0; i < len(b); i += mm.PageSize {
			touch(b[i:])
		}
		keep = append(keep, b)
	}
	runtime.KeepAlive(keep)
	return errors.New("there is no end of memory")
}
