package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// isGuarded reports whether nobody can reach the page at addr for now. Where guards are
// not to be seen, it is as expected.
var isGuarded = func(addr uintptr, expected bool) bool { return expected }

// sigguards does with the lowest page of a large signal stack whatever can be done with memory
// by all but the handlers that run there, who alone may find a guard.
func sigguards([]string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	reads, writes, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reads.Close()
	defer writes.Close()
	restore, err := onlyOurSignals(false)
	if err != nil {
		return err
	}
	defer restore()

	pattern := bytes.Repeat([]byte{0x5a}, os.Getpagesize())
	same := func(b []byte) error {
		if !bytes.Equal(b, pattern) {
			return fmt.Errorf("the page has changed, to %x", b[:8])
		}
		return nil
	}
	zeros := func(b []byte) error {
		if !bytes.Equal(b, make([]byte, len(b))) {
			return fmt.Errorf("the page is not new: %x", b[:8])
		}
		return nil
	}
	for _, use := range []struct {
		name   string
		lifted bool // by that use, for good
		do     func(page []byte) error
	}{
		{"disabling it", false, func([]byte) error { return nil }},
		{"a signal", false, func([]byte) error {
			signalTaken = 0
			if killSelf(); signalTaken != 1 {
				return fmt.Errorf("%d handlers", signalTaken)
			}
			return nil
		}},
		{"reading", true, same},
		{"writing", true, func(page []byte) error { page[1] = pattern[1]; return nil }},
		{"reading on another thread", true, func(page []byte) error {
			result := make(chan error)
			go func() { result <- same(page) }()
			return <-result
		}},
		{"system calls that read", true, func(page []byte) error {
			copied := make([]byte, len(page))
			if _, err := syscall.Write(int(writes.Fd()), page); err != nil {
				return err
			}
			if _, err := syscall.Read(int(reads.Fd()), copied); err != nil {
				return err
			}
			return same(copied)
		}},
		{"system calls that write", true, func(page []byte) error {
			if _, err := syscall.Write(int(writes.Fd()), pattern); err != nil {
				return err
			}
			_, err := syscall.Read(int(reads.Fd()), page)
			return err
		}},
		{"mincore", false, func(page []byte) error {
			var there byte
			if _, _, e := syscall.RawSyscall(syscall.SYS_MINCORE, uintptr(unsafe.Pointer(&page[0])), uintptr(len(page)), uintptr(unsafe.Pointer(&there))); e != 0 || there&1 == 0 {
				return fmt.Errorf("%d, %v", there, e)
			}
			return nil
		}},
		{"protection", true, func(page []byte) error {
			if err := syscall.Mprotect(page, syscall.PROT_READ); err != nil {
				return err
			}
			if err := same(page); err != nil {
				return err
			}
			return syscall.Mprotect(page, readWrite)
		}},
		{"giving it back", true, func(page []byte) error {
			if err := syscall.Madvise(page, syscall.MADV_DONTNEED); err != nil {
				return err
			}
			return zeros(page)
		}},
		{"mapping something else", true, func(page []byte) error {
			const flags = syscall.MAP_ANON | syscall.MAP_PRIVATE | syscall.MAP_FIXED
			if _, _, e := syscall.RawSyscall6(syscall.SYS_MMAP, uintptr(unsafe.Pointer(&page[0])), uintptr(len(page)), readWrite, flags, ^uintptr(0), 0); e != 0 {
				return e
			}
			return zeros(page)
		}},
	} {
		if err := useGuarded(use.do, use.lifted, pattern); err != nil {
			return fmt.Errorf("%s: %w", use.name, err)
		}
	}
	return nil
}

// useGuarded makes memory that has the pattern everywhere the thread's signal stack and has do
// use its lowest page. lifted says whether it is without a guard then.
func useGuarded(do func(page []byte) error, lifted bool, pattern []byte) (err error) {
	const stackSize, unaligned = 32 << 10, 0x123
	m, err := syscall.Mmap(-1, 0, 2*stackSize, readWrite, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer syscall.Munmap(m)
	for i := 0; i < len(m); i += len(pattern) {
		copy(m[i:], pattern)
	}
	page := m[len(pattern) : 2*len(pattern)] // the first that is all in
	at := uintptr(unsafe.Pointer(&page[0]))

	now, old := signalStack{sp: uintptr(unsafe.Pointer(&m[unaligned])), size: stackSize}, signalStack{}
	if err := setSignalStack(&now, &old); err != nil {
		return err
	}
	guarded := isGuarded(at, true)
	err = do(page)
	after := isGuarded(at, !lifted)
	if e := setSignalStack(&old, nil); e != nil {
		return e
	}
	switch {
	case err != nil:
		return err
	case !guarded || after == lifted || isGuarded(at, false):
		return fmt.Errorf("guarded: %t before, %t after", guarded, after)
	case !bytes.Equal(m[:unaligned], m[len(pattern)*12:][:unaligned]):
		return fmt.Errorf("what is below the stack has changed")
	}
	return nil
}
