package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

// What a program must not do with memory, and what it may.

// protection breaks every rule once, and gets the signal for it.
func protection([]string) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	data := new([64]byte)
	copy(data[:], returnsSeven)
	local := [64]byte{}
	copy(local[:], returnsSeven)
	text := codeOf(faults)
	for _, try := range []struct {
		name string
		at   uintptr
		do   func(uintptr)
	}{
		{"writing code", text, write},
		{"writing a constant", uintptr(unsafe.Pointer(unsafe.StringData(readOnly))), write},
		{"executing a constant", uintptr(unsafe.Pointer(unsafe.StringData(readOnly))), execute},
		{"executing a variable", uintptr(unsafe.Pointer(&initialised)), execute},
		{"executing a zeroed variable", uintptr(unsafe.Pointer(&sink)), execute},
		{"executing the heap", uintptr(unsafe.Pointer(data)), execute},
		{"executing the stack", uintptr(unsafe.Pointer(&local)), execute},
		{"reading page 0", 0, read},
		{"reading the end of page 0", 4095, read},
		{"writing page 0", 8, write},
		{"executing page 0", 16, execute},
		{"reading where processors start", 0x8000, read},
		{"reading the last low page", 0xffff, read},
	} {
		if err := wantFaultAt(try.at, try.do); err != nil {
			return fmt.Errorf("%s: %w", try.name, err)
		}
	}
	runtime.KeepAlive(data)
	return madeCode()
}

// returnsSeven is MOVL $7, AX; RET.
var returnsSeven = []byte{0xb8, 7, 0, 0, 0, 0xc3}

// madeCode makes code as compilers at run time do: writes it, then executes it, then
// changes it.
func madeCode() error {
	const size = 5 * 4096
	m, err := syscall.Mmap(-1, 0, size, readWrite, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	at := uintptr(unsafe.Pointer(&m[0]))
	for round := range byte(3) {
		for page := 0; page < size; page += 4096 {
			copy(m[page:], returnsSeven)
			m[page+1] = round + byte(page>>12)
		}
		if err := wantFaultAt(at, execute); err != nil {
			return fmt.Errorf("executing what can be written: %w", err)
		}
		if err := syscall.Mprotect(m, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
			return err
		}
		for page := uintptr(0); page < size; page += 4096 {
			if got, want := call(at+page), int(round)+int(page>>12); got != want {
				return fmt.Errorf("code made in round %d returns %d, want %d", round, got, want)
			}
			if err := wantFaultAt(at+page, write); err != nil {
				return fmt.Errorf("writing what can be executed: %w", err)
			}
		}
		if err := extraChecks(m); err != nil {
			return err
		}
		if err := syscall.Mprotect(m, readWrite); err != nil {
			return err
		}
	}
	if !bytes.Equal(m[2:6], returnsSeven[2:]) {
		return errors.New("the code has changed by itself")
	}
	// It ends as code: the frames are to be used for anything again.
	if err := syscall.Mprotect(m, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		return err
	}
	return syscall.Munmap(m)
}

// extraChecks looks at code that was made in a way that only our kernel has.
var extraChecks = func(code []byte) error { return nil }

// wantFaultAt wants a fault at an address, be it for reading, writing or executing.
func wantFaultAt(addr uintptr, do func(uintptr)) (err error) {
	defer func() {
		r := recover()
		e, isError := r.(runtime.Error)
		if !isError {
			err = fmt.Errorf("there was no fault (%v)", r)
			return
		}
		if f, has := e.(interface{ Addr() uintptr }); has && f.Addr() != addr {
			err = fmt.Errorf("%v at %#x, want %#x", e, f.Addr(), addr)
		}
	}()
	do(addr)
	return nil
}

//go:noinline
func read(addr uintptr) { sink = float64(*(*byte)(at(addr))) }

//go:noinline
func write(addr uintptr) { *(*byte)(at(addr)) = 0xc3 }

func execute(addr uintptr) { call(addr) }

// call calls the code at an address, which has no arguments and returns a number in
// AX. Sound because a func value is a pointer to the address of code.
//
//go:noinline
func call(addr uintptr) int {
	code := &addr
	return (*(*func() int)(unsafe.Pointer(&code)))()
}

// codeOf is the address of a function's code.
func codeOf(f func([]string) error) uintptr {
	return **(**uintptr)(unsafe.Pointer(&f))
}

var initialised = [...]byte{0xb8, 7, 0, 0, 0, 0xc3}
