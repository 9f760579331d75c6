//go:build metal

package kernel

import (
	"sync/atomic"
	"syscall"

	"nuos/boot"
	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// What the console shows when the kernel itself is broken: the reason, and the
// stack of every processor with the names of functions. The other processors
// are stopped by non-maskable interrupt, so that also one that spins with
// interrupts off shows where it is.

// panicking is the number of the first processor that panics or ends the machine, and 1.
var panicking atomic.Uint32

// panicTime is the TSC when it did.
var panicTime uint64

// kernelPanic reports a broken invariant of the kernel and ends the machine.
func kernelPanic(why string) {
	beginPanic(why)
	thisCPU().reportSelf()
	endPanic()
}

// kernelPanicAt does it for an exception at f; addr is what it says about an address.
func kernelPanicAt(why string, f *faultFrame, addr uint64) {
	c := thisCPU()
	if cause := f.cause(addr); cause != "" {
		why = cause
	}
	beginPanic(why)
	printString("vector ")
	printInt(int64(f.vector))
	printString(" code ")
	printHex(f.code)
	printString(" address ")
	printHex(addr)
	printString("\n")
	if f.vector == trapMachineCheck {
		printBanks()
	}
	c.report(f)
	endPanic()
}

// cause says what has gone wrong in kernel code that the Go runtime should have said:
// its way of doing so needs an m, which handlers do not have, so that what is seen is
// the fault that comes of it.
func (f *faultFrame) cause(addr uint64) string {
	if f.vector == trapPage && thisCPU().isGuard(addr) {
		return "stack overflow in the kernel"
	}
	cause := ""
	at, bp := f.ip+1, f.bp
	for range 8 {
		if fn, ok := functionAt(at); ok {
			switch fn.name() {
			case "runtime.panicBounds", "runtime.panicBounds64":
				return "index out of range in the kernel"
			case "runtime.panicdivide":
				return "division by zero in the kernel"
			case "runtime.morestack", "runtime.morestack_noctxt":
				return "stack overflow in the kernel"
			case "runtime.gopanic":
				cause = "panic in the kernel" // or what its caller says
			}
		}
		var ok bool
		if at, ok = readWord(bp + 8); !ok {
			break
		}
		bp, _ = readWord(bp)
	}
	return cause
}

// isGuard reports whether addr is in the page below the processor's stack.
func (c *cpu) isGuard(addr uint64) bool {
	low := uint64(c.stack) - kernelStack
	return addr < low && addr >= low-mm.PageSize
}

func beginPanic(why string) {
	self := uint32(thisCPU().id) + 1
	if !panicking.CompareAndSwap(0, self) {
		if panicking.Load() != self {
			stopForever() // another processor is at it
		}
		printString("\nnuos: kernel panic in the report of the one before: ")
		printString(why)
		printString("\n")
		boot.Exit(boot.ExitPanic)
	}
	panicTime = x86.ReadTSC()
	askOthers()
	printString("\nnuos: kernel panic: ")
	printString(why)
	printString("\n")
}

func endPanic() {
	reportOthers()
	printTrace()
	reportCrash()
	boot.Exit(boot.ExitPanic)
}

// reportFault says on the console why a signal ends the program although it
// has, or could have, a handler.
func reportFault(t *thread, signo int32, addr uint64) {
	printString("\nnuos: ")
	switch syscall.Signal(signo) {
	case syscall.SIGSEGV:
		printString("memory fault")
	case syscall.SIGFPE:
		printString("arithmetic fault")
	default:
		printString("signal ")
		printInt(int64(signo))
	}
	printString(" ends the program, address ")
	printHex(addr)
	printString(", thread ")
	printInt(int64(t.tid))
	printString(":\n")
	printStack(t.ip+1, t.bp) // it may be the first instruction of a function
}
