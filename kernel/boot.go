//go:build metal

package kernel

import (
	"sync/atomic"
	"unsafe"

	"nuos/boot"
	"nuos/boot/acpi"
	"nuos/kernel/internal/sched"
	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// The way from boot's jump to the first instruction of the Go runtime. None of
// this may allocate: there is no heap yet.

// started is set when threads may run.
var started atomic.Uint32

// bootProcessor is the first Go code of the machine.
func bootProcessor(c *cpu) {
	startConsole()
	switch why := boot.Parse(); why {
	case "":
	case boot.NotEnoughMemory:
		refuseMemory()
	default:
		refuse(string(why))
	}
	findFeatures()
	tables := acpi.Load()
	beginClock(tables)
	startMemory()
	if !startAPIC() || !c.prepare(0, local.ID()) {
		refuse("the kernel's own memory cannot be had")
	}
	maskPICs()
	fillIDT()
	findVectorSize()
	c.enable()
	if !startClock(tables) {
		refuse("nothing tells the rate of the processor's time stamp counter")
	}
	startTimer()
	seedRandom()
	startFiles()
	if n := startOthers(tables); n > 0 {
		printString("nuos: processors that did not start: ")
		printInt(int64(n))
		printByte('\n')
	}
	openConsole()
	t := startProgram()
	startThreads()

	wake(t)
	firstResume(c.leave())
}

// refuse ends a machine that cannot start.
func refuse(why string) {
	printString("nuos: ")
	printString(why)
	printString("\n")
	boot.Exit(boot.ExitRefused)
}

// refuseMemory is refuse with what there is of memory and what there should be.
func refuseMemory() {
	info := boot.Machine()
	printString("nuos: ")
	printString(string(boot.NotEnoughMemory))
	printString(": ")
	printInt(int64(info.RAM() >> 10))
	printString(" KiB of ")
	printInt(int64(info.MinMemory >> 10))
	printString(" KiB\n")
	boot.Exit(boot.ExitRefused)
}

// startMemory gives mm the machine's memory and switches to its page tables.
func startMemory() {
	info := boot.Machine()
	var m memoryLists
	m.add(info)
	fixProgramHeader()
	sched.Relax = relax
	mm.SetHooks(mm.Hooks{Flush: flushAll, Relax: relax, Fatal: memoryFatal})
	if problem := mm.Start(mm.Memory{
		Usable:   m.usable[:m.numUsable],
		Reserved: m.reserved[:m.numReserved],
		Firmware: m.firmware[:m.numFirmware],
		Program:  m.program[:],
	}); problem != "" {
		refuse(problem)
	}
	if z := info.OnDemand; z.Size != 0 {
		const fixed, anonymous, private = 0x10, 0x20, 0x02
		if _, e := space().Mmap(mm.Virt(z.Base), z.Size, mm.ProtRead|mm.ProtWrite, fixed|anonymous|private); e != 0 {
			refuse("the program's zeroed data cannot be mapped")
		}
	}
}

// memoryLists are the arguments of mm.Start, static because the stack is small.
type memoryLists struct {
	usable, reserved, firmware          [boot.MaxRegions + 4]mm.PhysRange
	numUsable, numReserved, numFirmware int
	program                             [3]mm.Segment
}

func (m *memoryLists) add(info *boot.Info) {
	for _, r := range info.Regions() {
		p := mm.PhysRange{Base: mm.Phys(r.Base), Size: r.Size}
		switch r.Kind {
		case boot.RAM:
			m.usable[m.numUsable] = p
			m.numUsable++
		case boot.ACPITables, boot.ACPINVS:
			m.firmware[m.numFirmware] = p
			m.numFirmware++
			fallthrough
		default:
			m.reserved[m.numReserved] = p
			m.numReserved++
		}
	}
	for _, r := range [...]boot.Region{info.Image, info.Archive, {Base: startPage, Size: mm.PageSize}} {
		if r.Size != 0 {
			m.reserved[m.numReserved] = mm.PhysRange{Base: mm.Phys(r.Base), Size: r.Size}
			m.numReserved++
		}
	}

	// The linker's sections, each part from a page boundary on: code with the
	// headers before it, read-only data, data.
	text, rodata, data := programSections()
	text = text&^(mm.PageSize-1) - mm.PageSize
	rodata &^= mm.PageSize - 1
	data = (data + mm.PageSize - 1) &^ (mm.PageSize - 1)
	end := text + uintptr(info.Image.Size)
	segment := func(from, to uintptr, prot mm.Prot) mm.Segment {
		return mm.Segment{
			Range: mm.Range{Base: mm.Virt(from), Size: uint64(to - from)},
			Phys:  mm.Phys(info.Image.Base) + mm.Phys(from-text),
			Prot:  prot,
		}
	}
	m.program = [3]mm.Segment{
		segment(text, rodata, mm.ProtRead|mm.ProtExec),
		segment(rodata, data, mm.ProtRead),
		segment(data, end, mm.ProtRead|mm.ProtWrite),
	}
}

func memoryFatal(message string, address uint64) {
	printString("nuos: ")
	printHex(address)
	printString(": ")
	kernelPanic(message)
}

func space() *mm.Space { return mm.Machine() }

// physical is the address that devices know for memory from allocFrames.
func physical(direct uintptr) uintptr { return direct - uintptr(mm.DirectArea.Base) }

func freeFrames(direct uintptr) { mm.FreeKernel(mm.Virt(direct)) }

// maskPICs silences the two 8259 interrupt controllers, after moving their
// vectors away from those of faults.
func maskPICs() {
	x86.Out8(0x20, 0x11)
	x86.Out8(0xA0, 0x11)
	x86.Out8(0x21, 0x20)
	x86.Out8(0xA1, 0x28)
	x86.Out8(0x21, 4)
	x86.Out8(0xA1, 2)
	x86.Out8(0x21, 1)
	x86.Out8(0xA1, 1)
	x86.Out8(0x21, 0xFF)
	x86.Out8(0xA1, 0xFF)
}

// startProgram makes the process's first thread: its stack with arguments,
// environment and auxiliary vector as execve(2) leaves them.
func startProgram() *thread {
	const size = 256 << 10
	const anonymous, private = 0x20, 0x02
	base, e := space().Mmap(0, size, mm.ProtRead|mm.ProtWrite, anonymous|private)
	t := newThread()
	if e != 0 || t == nil {
		refuse("there is no memory for the program's stack")
	}
	top := uintptr(base) + size
	top -= 16
	random := top
	for i := range uintptr(2) {
		*(*uint64)(pointer(random + i*8)) = randomWord()
	}

	// The words, in the order in which they stand, upwards from SP.
	const (
		auxPageSize = 6
		auxRandom   = 25
		auxExecName = 31
		auxVDSO     = 33
	)
	auxv = [...]uint64{
		auxPageSize, mm.PageSize,
		auxRandom, uint64(random),
		auxExecName, uint64(uintptr(unsafe.Pointer(&programName))),
		auxVDSO, makeVDSO(),
		0, 0,
	}
	info := boot.Machine()
	numArgs, numEnv := uintptr(1), uintptr(0)
	for w := info.Words(); w.Next(); {
		switch w.Kind() {
		case boot.Argument:
			numArgs++
		case boot.Environment:
			numEnv++
		}
	}
	total := 1 + numArgs + 1 + numEnv + 1 + uintptr(len(auxv))
	sp := (top - total*8) &^ 15
	at := sp
	push := func(v uint64) {
		*(*uint64)(pointer(at)) = v
		at += 8
	}
	push(uint64(numArgs))
	push(uint64(uintptr(unsafe.Pointer(&programName))))
	for _, kind := range [...]boot.WordKind{boot.Argument, boot.Environment} {
		for w := info.Words(); w.Next(); {
			if w.Kind() == kind {
				push(uint64(uintptr(unsafe.Pointer(unsafe.SliceData(w.Text())))))
			}
		}
		push(0)
	}
	for _, v := range auxv {
		push(v)
	}
	t.ip, t.sp, t.flags, t.full = uint64(addressOfProgram()), uint64(sp), flagsIF|2, 1
	return t
}

// auxv is the auxiliary vector: kinds and values.
var auxv [10]uint64

// programName is argv[0], as a C string.
var programName = [...]byte{'/', 'n', 'u', 'o', 's', 0}

// findVectorSize asks how much memory the vector state takes.
func findVectorSize() {
	vectorSize = 512
	if haveXSAVE {
		_, b, _, _ := x86.CPUID(0xD, 0)
		vectorSize = uintptr(b)
	}
	if vectorSize > mm.PageSize-vectorOffset {
		refuse("the processor's vector state is larger than the kernel has room for")
	}
}

// vectorSize is the size in bytes of a saved vector state.
var vectorSize uintptr

// sanitizeVector makes an area that the program may have written acceptable to
// XRSTOR, which faults on reserved bits (SDM vol. 1, 13.8).
func sanitizeVector(addr uintptr) {
	const mxcsrBits = 0xFFBF
	*(*uint32)(pointer(addr + 24)) &= mxcsrBits
	if haveXSAVE {
		header := (*[8]uint64)(pointer(addr + 512))
		clear(header[1:])
		header[0] &= xcr0()
	}
}

func programSections() (text, rodata, data uintptr)
func xcr0() uint64
