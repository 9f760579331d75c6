//go:build metal

package kernel

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"unsafe"

	"nuos/boot"
	"nuos/kernel/internal/x86"
)

// What the console shows when the kernel itself is broken: the reason, and the
// stack of every processor with the names of functions. The other processors
// are stopped by non-maskable interrupt, so that also one that spins with
// interrupts off shows where it is.

// panicking is set by the first processor that panics; the entry code reads it.
var panicking uint32

// kernelPanic reports a broken invariant of the kernel and ends the machine.
func kernelPanic(why string) {
	beginPanic(why)
	printString("processor ")
	printInt(int64(thisCPU().id))
	printString(":\n")
	printStack(0, readBP())
	endPanic()
}

// kernelPanicAt does it for a trap at f.
func kernelPanicAt(why string, f *faultFrame, addr uint64) {
	beginPanic(why)
	printString("vector ")
	printInt(int64(f.vector))
	printString(" code ")
	printHex(f.code)
	printString(" address ")
	printHex(addr)
	printString(" ip ")
	printHex(f.ip)
	printString(" sp ")
	printHex(f.sp)
	printString("\nprocessor ")
	printInt(int64(thisCPU().id))
	printString(":\n")
	if f.ip != 0 {
		printFrame(f.ip + 1)
	}
	// The caller of an assembly function without a frame, such as morestack, is
	// not in the chain of frame pointers.
	if at, ok := loadUser64(f.sp); ok && at != 0 {
		printFrame(at)
	}
	printStack(0, f.bp)
	endPanic()
}

func beginPanic(why string) {
	if !atomic.CompareAndSwapUint32(&panicking, 0, 1) {
		stopForever() // another processor is at it
	}
	stopOthers()
	printString("\nnuos: kernel panic: ")
	printString(why)
	printString("\n")
}

func endPanic() {
	for i := range numCPUs {
		c := &cpus[i]
		if c == thisCPU() || c.stopped.Load() == 0 {
			continue
		}
		printString("processor ")
		printInt(int64(i))
		printString(":\n")
		printStack(c.stopIP, c.stopBP)
	}
	for i := range numCPUs {
		if t := threadOn(&cpus[i]); t != nil {
			printString("thread ")
			printInt(int64(t.tid))
			printString(" on processor ")
			printInt(int64(i))
			printString(" came from:\n")
			printStack(t.ip, t.bp)
		}
	}
	printTrace()
	reportCrash()
	boot.Exit(boot.ExitPanic)
}

// stopOthers stops all other processors for good and waits for them, within a
// bound, for one may be too broken to answer.
func stopOthers() {
	atomic.StoreUint32(&panicking, 1)
	self := thisCPU()
	for i := range numCPUs {
		if c := &cpus[i]; c != self {
			sendIPI(c.apic, apicDeliverNMI|apicAssert)
		}
	}
	for i := range numCPUs {
		c := &cpus[i]
		for n := 0; c != self && c.stopped.Load() == 0 && n < 1e6; n++ {
			x86.Pause()
		}
	}
}

// stopHere is where a processor ends that another one has stopped.
func stopHere(f *faultFrame) {
	c := thisCPU()
	c.stopIP, c.stopBP = f.ip, f.bp
	c.stopped.Store(1)
	stopForever()
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
	printStack(t.ip, t.bp)
}

// printStack prints the function at ip and those that the chain of frame
// pointers leads to.
func printStack(ip, bp uint64) {
	if ip != 0 {
		printFrame(ip)
	}
	for range 40 {
		var frame [2]uint64
		if bp == 0 || bp&7 != 0 || !copyBytes(uintptr(unsafe.Pointer(&frame)), uintptr(bp), 16) || frame[1] == 0 {
			return
		}
		printFrame(frame[1])
		if frame[0] <= bp {
			return
		}
		bp = frame[0]
	}
}

// funcInfo is runtime.funcInfo; its first field points to the entry of the
// function table, which is what *runtime.Func points to as well.
type funcInfo struct{ fn, module unsafe.Pointer }

// findfunc finds a function by an address in it. It is linknamed because
// runtime.FuncForPC allocates for an address in an inlined function; for the
// entry of a function it never does.
//
//go:linkname findfunc runtime.findfunc
func findfunc(pc uintptr) funcInfo

// printFrame names the function at pc. Its line would need the runtime's cache
// of line tables, which belongs to an m.
func printFrame(pc uint64) {
	printString("  ")
	printHex(pc)
	if info := findfunc(uintptr(pc - 1)); info.fn != nil {
		f := (*runtime.Func)(info.fn)
		printString("  ")
		printString(f.Name())
		printString("+")
		printHex(pc - uint64(f.Entry()))
	}
	printString("\n")
}
