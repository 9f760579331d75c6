//go:build metal

package kernel

import (
	"runtime"
	"unsafe"

	"nuos/mm"
)

// What the console says of a processor: registers, what ran, and the stack with the
// names of functions. It is printed in the middle of anything, so it takes no lock and
// reads no memory before it has looked whether there is any.

// report prints what there is to say of a processor that an exception has stopped at f.
func (c *cpu) report(f *faultFrame) {
	printString("processor ")
	printInt(int64(c.id))
	t := threadOn(c)
	switch {
	case f.mode == modeHalt:
		printString(", halted")
	case t == nil:
		printString(", in the kernel, for no thread")
	case f.mode == modeUser:
		printString(", thread ")
		printInt(int64(t.tid))
	default:
		printString(", in the kernel for thread ")
		printInt(int64(t.tid))
	}
	printString(":\n")
	f.print()
	f.printStack()
	if f.mode == modeKernel && t != nil {
		printString("thread ")
		printInt(int64(t.tid))
		printString(" came from:\n")
		printStack(t.ip, t.bp)
	}
}

// reportSelf is report for a processor that found out by itself.
func (c *cpu) reportSelf() {
	f := faultFrame{mode: modeKernel, bp: readBP()}
	printString("processor ")
	printInt(int64(c.id))
	printString(":\n")
	f.printStack()
	if t := threadOn(c); t != nil {
		printString("thread ")
		printInt(int64(t.tid))
		printString(" came from:\n")
		printStack(t.ip, t.bp)
	}
}

// print prints the registers.
func (f *faultFrame) print() {
	for i, r := range [...]struct {
		name  string
		value uint64
	}{
		{"ip", f.ip}, {"sp", f.sp}, {"bp", f.bp}, {"flags", f.flags},
		{"ax", f.ax}, {"bx", f.bx}, {"cx", f.cx}, {"dx", f.dx},
		{"si", f.si}, {"di", f.di}, {"r8", f.r8}, {"r9", f.r9},
		{"r10", f.r10}, {"r11", f.r11}, {"r12", f.r12}, {"r13", f.r13},
		{"r14", f.r14}, {"r15", f.r15}, {"fs", f.fs}, {"cs", f.cs},
	} {
		printString("  ")
		printString(r.name)
		printString(" ")
		printHex(r.value)
		if i%4 == 3 {
			printString("\n")
		}
	}
}

// printStack prints the functions that f was in.
func (f *faultFrame) printStack() {
	if f.ip != 0 {
		printFrame(f.ip + 1)
		// The caller of an assembly function without a frame, such as morestack,
		// is not in the chain of frame pointers. In all others this word is data,
		// which can look like an address of code.
		if at, ok := readWord(f.sp); ok {
			if _, ok := functionAt(at); ok {
				printFrame(at)
			}
		}
	}
	printStack(0, f.bp)
}

// printStack prints the function at ip and those that the chain of frame
// pointers leads to.
func printStack(ip, bp uint64) {
	if ip != 0 {
		printFrame(ip)
	}
	const mostFrames, mostLines = 10000, 40
	last, again, lines := uint64(0), 0, 0
	for range mostFrames {
		next, ok := readWord(bp)
		at, ok2 := readWord(bp + 8)
		if !ok || !ok2 || at == 0 || lines == mostLines {
			break
		}
		if at == last {
			again++
		} else {
			printAgain(again)
			printFrame(at)
			last, again = at, 0
			lines++
		}
		if next <= bp {
			break
		}
		bp = next
	}
	printAgain(again)
}

// printAgain says how often the frame printed last comes again.
func printAgain(n int) {
	if n > 0 {
		printString("    and ")
		printInt(int64(n))
		printString(" times more\n")
	}
}

// readWord reads memory, if there is any, without a fault: a fault would use a stack
// that may be in use, and let the next non-maskable interrupt in.
func readWord(addr uint64) (uint64, bool) {
	const present, large = 1, 1 << 7
	if addr&7 != 0 || int64(addr<<16)>>16 != int64(addr) {
		return 0, false
	}
	for table, shift := uint64(readCR3()), 39; ; shift -= 9 {
		entry := *(*uint64)(pointer(uintptr(uint64(mm.DirectArea.Base) + table&0xF_FFFF_FFFF_F000 + addr>>shift&511*8)))
		if entry&present == 0 {
			return 0, false
		}
		if shift == 12 || entry&large != 0 {
			return *(*uint64)(pointer(uintptr(addr))), true
		}
		table = entry
	}
}

// funcInfo is runtime.funcInfo: a function, and the module that it belongs to.
type funcInfo struct {
	fn     *funcRecord
	module *moduleRecord
}

// funcRecord is how runtime._func begins, moduleRecord how runtime.moduledata does.
type (
	funcRecord   struct{ entry, name uint32 } // offsets from the module's code, and in its names
	moduleRecord struct {
		header unsafe.Pointer
		names  []byte // each with a zero behind it
	}
)

// findfunc finds a function by an address in it. It is linknamed because
// runtime.FuncForPC allocates for an address in an inlined function.
//
//go:linkname findfunc runtime.findfunc
func findfunc(pc uintptr) funcInfo

// functionAt returns the function that a call returns to at pc.
func functionAt(pc uint64) (f funcInfo, ok bool) {
	f = findfunc(uintptr(pc - 1))
	return f, f.fn != nil
}

// name is the function's, as the linker has it. runtime.Func.Name leaves the type
// arguments of a generic function out, for which it allocates.
func (f funcInfo) name() string {
	names := f.module.names
	begin := min(int(f.fn.name), len(names))
	end := begin
	for end < len(names) && names[end] != 0 {
		end++
	}
	return unsafe.String(unsafe.SliceData(names[begin:]), end-begin)
}

// entry is the address of the function's first instruction.
func (f funcInfo) entry() uint64 {
	return uint64((*runtime.Func)(unsafe.Pointer(f.fn)).Entry())
}

// printFrame names the function at pc. Its line would need the runtime's cache
// of line tables, which belongs to an m.
func printFrame(pc uint64) {
	printString("  ")
	printHex(pc)
	if f, ok := functionAt(pc); ok {
		printString("  ")
		printString(f.name())
		printString("+")
		printHex(pc - f.entry())
	}
	printString("\n")
}
