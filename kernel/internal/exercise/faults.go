package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// faults makes the processor fault and recovers, on many threads at a time.
func faults([]string) error {
	errs := make(chan error)
	const n = 8
	for range n {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range 50 {
				if err := faultOnce(); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func faultOnce() error {
	if err := expect("nil pointer dereference", func() { nilPointer().near = 1 }); err != nil {
		return err
	}
	if err := expect("nil pointer dereference", func() { sink = float64(nilPointer().far) }); err != nil {
		return err
	}
	if err := expect("integer divide by zero", func() { sink = float64(7 / zero()) }); err != nil {
		return err
	}
	// An address that is mapped to nothing, canonical or not, is no nil pointer;
	// the program may ask for a panic all the same.
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	for _, addr := range []uintptr{0x1234_5678_9000, 0x5fff_ffff_f000, 1 << 63} {
		if err := expect("", func() { *(*byte)(at(addr)) = 1 }); err != nil {
			return fmt.Errorf("address %#x: %w", addr, err)
		}
	}
	return expect("", func() { *unsafe.StringData(readOnly) = 'x' })
}

const readOnly = "a string in memory that may not be written"

type object struct {
	near int64
	_    [3000]byte
	far  int64
}

//go:noinline
func nilPointer() *object { return nil }

//go:noinline
func zero() int { return 0 }

// at makes a pointer of any address.
//
//go:noinline
func at(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// expect runs f and wants a run-time panic that says what.
func expect(what string, f func()) (err error) {
	defer func() {
		r := recover()
		e, isError := r.(runtime.Error)
		if !isError || !strings.Contains(e.Error(), what) {
			err = fmt.Errorf("recovered %v, want a run-time error with %q", r, what)
		}
	}()
	f()
	return errors.New("no fault")
}

// wild ends the program by a store through a pointer to nowhere.
func wild([]string) error {
	*(*byte)(at(0x1234_5678_9000)) = 1
	return errors.New("it was stored")
}

func exit(args []string) error {
	status, err := strconv.Atoi(args[0])
	if err == nil {
		os.Exit(status)
	}
	return err
}

// threads has many threads at a time, which come and go.
func threads([]string) error {
	const n = 40
	for range 3 {
		var ready, wg sync.WaitGroup
		release := make(chan struct{})
		for range n {
			ready.Add(1)
			wg.Add(1)
			go func() {
				defer wg.Done()
				runtime.LockOSThread() // and end locked, which ends the thread
				ready.Done()
				<-release
			}()
		}
		ready.Wait()
		close(release)
		wg.Wait()
	}
	return nil
}

// panics says something, behind as many letters as it is told.
func panics(args []string) error {
	n := 0
	if len(args) > 0 {
		var err error
		if n, err = strconv.Atoi(args[0]); err != nil {
			return err
		}
	}
	if n == 0 {
		panic("as told")
	}
	panic(strings.Repeat("x", n) + " as told")
}
