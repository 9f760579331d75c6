package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// sigframes lets signals arrive on signal stacks of all sizes, and on one that is not
// there. Where the frame does not fit, nothing below the stack is written, and the thread
// gets SIGSEGV instead, here with a handler on the ordinary stack. An argument says what
// is to end the program: "ends", that the handler of SIGSEGV needs the signal stack too,
// which is not mapped, or "nested", that the thread is on its signal stack, near the end.
func sigframes(args []string) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	how := strings.Join(args, "")
	const below, most = 8192, 8192
	m, err := syscall.Mmap(-1, 0, below+most, readWrite, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	base := uintptr(unsafe.Pointer(&m[below]))
	// Nothing else may use the stack: the runtime preempts threads by signals.
	restore, err := onlyOurSignals(how == "ends")
	if err != nil {
		return err
	}
	defer restore()

	for _, send := range []func(){killSelf, breakpoint} {
		fits := false
		for size := uintptr(2048); size <= most; size += 64 {
			pattern := bytes.Repeat([]byte{0x5a}, below)
			copy(m, pattern)
			taken, lost, err := signalOn(base, size, send)
			switch {
			case err != nil:
				return fmt.Errorf("a stack of %d bytes: %w", size, err)
			case !bytes.Equal(m[:below], pattern):
				return fmt.Errorf("a stack of %d bytes: the memory below is written", size)
			case taken+lost != 1 || lost != 0 && fits:
				return fmt.Errorf("a stack of %d bytes: %d handlers and %d faults; a smaller one was enough: %t", size, taken, lost, fits)
			}
			fits = taken != 0
		}
		if !fits {
			return fmt.Errorf("no frame fits %d bytes", most)
		}
	}
	if how == "nested" {
		signalOn(base, 4096, func() { breakpointAt(base + 256) })
		return errors.New("a frame fits 256 bytes")
	}
	if err := syscall.Munmap(m); err != nil {
		return err
	}
	if taken, lost, err := signalOn(base, most, killSelf); err != nil || taken != 0 || lost != 1 {
		return fmt.Errorf("a stack that is not mapped: %d handlers and %d faults, %v", taken, lost, err)
	}
	return nil
}

// signalTaken and signalLost count what signalHandler and faultHandler have seen, which
// are code in assembly: they run on stacks that Go does not know. faultCode is the
// si_code of the last fault.
var signalTaken, signalLost, faultCode int32

// killSelf sends SIGUSR1, which arrives when the call returns.
//
//go:nosplit
func killSelf() {
	tid, _, _ := syscall.RawSyscall(syscall.SYS_GETTID, 0, 0, 0)
	pid, _, _ := syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0)
	syscall.RawSyscall(syscall.SYS_TGKILL, pid, tid, uintptr(syscall.SIGUSR1))
}

// signalOn has a signal arrive on a signal stack.
func signalOn(base, size uintptr, send func()) (taken, lost int, err error) {
	now, old := signalStack{sp: base, size: size}, signalStack{}
	roomBelow() // and no call from here on that would let the stack shrink
	signalTaken, signalLost, faultCode = 0, 0, 0
	if err := setSignalStack(&now, &old); err != nil {
		return 0, 0, err
	}
	send()
	if err := setSignalStack(&old, nil); err != nil {
		return 0, 0, err
	}
	const siKernel = 0x80
	if signalLost != 0 && faultCode != siKernel {
		return 0, 0, fmt.Errorf("si_code %d, want %d", faultCode, siKernel)
	}
	return int(signalTaken), int(signalLost), nil
}

// signalStack is struct sigaltstack.
type signalStack struct {
	sp    uintptr
	flags int32
	size  uintptr
}

//go:nosplit
func setSignalStack(now, old *signalStack) error {
	if _, _, e := syscall.RawSyscall(syscall.SYS_SIGALTSTACK, uintptr(unsafe.Pointer(now)), uintptr(unsafe.Pointer(old)), 0); e != 0 {
		return e
	}
	return nil
}

// roomBelow leaves some room below the caller's frame: faultHandler runs there.
//
//go:noinline
func roomBelow() {
	var room [32 << 10]byte
	sink = float64(room[zero()])
}

// signalAction is struct sigaction as the kernel sees it.
type signalAction struct{ handler, flags, restorer, mask uintptr }

// onlyOurSignals gives SIGUSR1, SIGTRAP and SIGSEGV handlers of ours, and blocks all others.
func onlyOurSignals(faultOnStack bool) (restore func(), err error) {
	const (
		onStack, restorer, sigInfo = 0x08000000, 0x04000000, 4
		setMask                    = 2
	)
	set := func(s syscall.Signal, now, old *signalAction) {
		if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(now)), uintptr(unsafe.Pointer(old)), 8, 0, 0); e != 0 {
			err = errors.Join(err, e)
		}
	}
	mask := func(now, old *uint64) {
		if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMask, uintptr(unsafe.Pointer(now)), uintptr(unsafe.Pointer(old)), 8, 0, 0); e != 0 {
			err = errors.Join(err, e)
		}
	}
	handler, faultHandler, back := signalCode()
	user := signalAction{handler, onStack | restorer | sigInfo, back, 0}
	fault := signalAction{faultHandler, restorer | sigInfo, back, 0}
	if faultOnStack {
		fault.flags |= onStack
	}
	var oldUser, oldTrap, oldFault signalAction
	var oldMask uint64
	ours := ^uint64(1<<(syscall.SIGUSR1-1) | 1<<(syscall.SIGTRAP-1) | 1<<(syscall.SIGSEGV-1))
	mask(&ours, &oldMask)
	set(syscall.SIGUSR1, &user, &oldUser)
	set(syscall.SIGTRAP, &user, &oldTrap)
	set(syscall.SIGSEGV, &fault, &oldFault)
	return func() {
		set(syscall.SIGUSR1, &oldUser, nil)
		set(syscall.SIGTRAP, &oldTrap, nil)
		set(syscall.SIGSEGV, &oldFault, nil)
		mask(&oldMask, nil)
	}, err
}

// breakpoint raises SIGTRAP where it is, with vector registers in the frame.
func breakpoint()

// breakpointAt does so with another stack pointer.
func breakpointAt(sp uintptr)

// signalCode returns the addresses of signalHandler, faultHandler and signalReturn.
func signalCode() (handler, fault, back uintptr)
