//go:build metal

package kernel

import (
	"syscall"

	"nuos/mm"
)

// Guards of signal stacks. Go takes signal stacks, of 32 KiB each, from its heap: what is
// below one is somebody else's. So the lowest page of a stack as large as that has a guard for as
// long as it is a thread's signal stack. Only the thread that runs on the stack
// runs into it; for all others the page is the memory that it was, for the first touch
// takes the guard away.
//
// The page is not missed: the deepest that the Go runtime was seen to go on a signal stack is 3720
// bytes, for the traceback of all goroutines that SIGQUIT prints; the registers of AVX-512, in the
// frame, would add 1.9 KiB.

// leastGuarded is the size in bytes of the smallest stack that can do without a page.
const leastGuarded = 32 << 10

// guardStack puts a guard on the lowest page of t's signal stack, if there is one.
func (t *thread) guardStack() {
	t.unguardStack()
	page := (mm.Virt(t.altStack) + mm.PageSize - 1) &^ (mm.PageSize - 1)
	if t.altSize >= leastGuarded && space().Guard(page) {
		t.guard, t.guardMissed = page, ^(uint64(1) << uint(thisCPU().id)) // Guard has flushed here
	}
}

func (t *thread) unguardStack() {
	if t.guard != 0 {
		space().Unguard(t.guard)
		t.guard, t.guardMissed = 0, 0
	}
}

// guardOn has the guard of t's signal stack hold on c, which is about to run t: only there does
// it matter.
func (t *thread) guardOn(c *cpu) {
	if bit := uint64(1) << uint(c.id); t.guardMissed&bit != 0 {
		mm.FlushLocal(mm.Range{Base: t.guard, Size: mm.PageSize})
		t.guardMissed &^= bit
	}
}

// overflows reports whether t runs on its signal stack and touches the guard there.
func (t *thread) overflows(addr mm.Virt) bool {
	return t.guard != 0 && addr-t.guard < mm.PageSize && t.onAltStack()
}

// liftGuard resolves a fault of t if the cause is a guard that is not meant for t.
func liftGuard(t *thread, addr mm.Virt) bool {
	return (t == nil || !t.overflows(addr)) && space().Unguard(addr)
}

// stackOverflow ends the program. There is no stack for a handler.
func stackOverflow(t *thread, addr uint64) {
	const signo = int32(syscall.SIGSEGV)
	printString("\nnuos: overflow of a signal stack")
	reportFault(t, signo, addr)
	killed(signo)
}
