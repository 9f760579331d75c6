//go:build metal

package main

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"nuos/kernel"
	"nuos/mm"
)

func init() {
	exercises["sigoverflow"] = sigoverflow
	exercises["manythreads"] = manyThreads
	isGuarded = func(addr uintptr, _ bool) bool {
		_, _, found := mm.Translate(mm.Virt(addr))
		return !found
	}
}

// sigoverflow has a handler use more than the signal stack that the Go runtime has given
// the thread.
func sigoverflow([]string) error {
	runtime.LockOSThread()
	restore, err := onlyOurSignals(false)
	if err != nil {
		return err
	}
	defer restore()
	const onStack, restorer = 0x08000000, 0x04000000
	_, _, back := signalCode()
	a := signalAction{handler: pushForeverCode(), flags: onStack | restorer, restorer: back}
	if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGUSR1), uintptr(unsafe.Pointer(&a)), 0, 8, 0, 0); e != 0 {
		return e
	}
	killSelf()
	return errors.New("the handler has returned")
}

// manyThreads has 10,000 threads come and go, with their signal stacks.
func manyThreads([]string) error {
	if err := threads(nil); err != nil { // what is made once is made now
		return err
	}
	before := settled()
	for n := 0; n < 10_000; n += 120 {
		if err := threads(nil); err != nil {
			return err
		}
	}
	if after := settled(); after != before {
		return fmt.Errorf("frames were %+v, are %+v", before, after)
	}
	if a, s := kernel.AuditMemory(), kernel.Stats(); a.Guarded == 0 || a.Guarded > s.Threads {
		return fmt.Errorf("%d pages have guards, of %d threads", a.Guarded, s.Threads)
	}
	return nil
}
