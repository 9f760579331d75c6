//go:build metal

package kernel

import (
	"sync/atomic"
	"unsafe"

	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// What each processor has for itself: the block that GS points to, stacks,
// descriptor tables. The assembly knows the fields by name through go_asm.h.

const (
	maxCPUs = 64

	// cpu.mode: what an interrupt or a fault finds.
	modeUser   = 0 // the program, or the last instructions before it
	modeKernel = 1 // the kernel; interrupts are off
	modeHalt   = 2 // the idle loop in halt()

	// Selectors of the GDT, the same as boot's.
	selCode = 0x08
	selData = 0x10
	selTSS  = 0x18
)

const heapOrder = 2 // 16 KiB, a thread number for each thread

// Entries of the interrupt stack table.
const (
	istIRQ    = 1
	istFault  = 2
	istNMI    = 3
	istDouble = 4
	istCheck  = 5
)

// cpu is one processor.
type cpu struct {
	self        uintptr // of this block
	current     uintptr // *thread that runs here, or ran last
	stack       uintptr // top of the kernel stack
	fs          uintptr // FS base while in the kernel: behind tls
	g           uintptr // of standIn
	scratch     uint64  // entry code: one register, interrupts off
	faultVector uintptr // vector state of the kernel while it handles its own fault
	faultSP     uintptr
	nmiVector   uintptr   // vector state of whatever a non-maskable interrupt hits
	pending     [4]uint64 // vectors that ended a halt; interrupts off
	tls         [2]uintptr
	mode        uint8

	id      int32 // index in cpus
	apic    uint32
	inFault bool
	mapped  bool // a fault of the kernel's means that copyBytes fails: see loadMapped32

	resched atomic.Bool // the current thread must give way

	online  atomic.Uint32
	idling  atomic.Uint32 // idle* below
	flushed atomic.Uint64 // generation of the last flush answered

	asked     atomic.Uint32  // to stop and show what it does: a non-maskable interrupt is under way
	stoppedAt atomic.Uintptr // *faultFrame of where it has stopped for that

	since    int64 // when the current thread was dispatched, or accounted last
	sliceEnd int64
	armed    int64 // what the timer is set to, 0 if not
	spin     int64 // how long to poll before the next halt, ns
	sleepers timerHeap
	timers   int32        // first of those set here, and 1: see timerfd.go
	timerAt  atomic.Int64 // when that one runs out, 0 for none

	// See trace.go; written here alone, interrupts off.
	ring     uintptr // *[ringEvents]event
	recorded uintptr // events so far
	calls    uintptr // *callCounts
	counts   [numEvents]uint64

	standIn standInG
	tss     [28]uint32
	gdt     [5]uint64
}

// standInG has the fields of runtime.g that compiled code looks at; the rest
// is zero, above all m, so that whatever needs more than a stack check faults
// at address 0x30 or so instead of doing damage.
type standInG struct {
	lo, hi, guard0, guard1 uintptr
	_                      [480]byte
}

// faultFrame is what the entry code lays out for a fault of the kernel itself, and for
// what handleFatal handles.
type faultFrame struct {
	mode                                                             uint8  // cpu.mode at the time
	fs                                                               uint64 // base
	ax, bx, cx, dx, si, di, bp, r8, r9, r10, r11, r12, r13, r14, r15 uint64
	vector, code, ip, cs, flags, sp, ss                              uint64
}

var (
	cpus    [maxCPUs]cpu
	numCPUs = int32(1)

	haveFSGSBASE bool
	haveXSAVE    bool

	idt [256][2]uint64
)

// descriptor is the operand of LGDT and LIDT, at offset 6 of it, so that the
// address is aligned.
type descriptor struct {
	_     [3]uint16
	limit uint16
	base  uintptr
}

func (d *descriptor) operand() unsafe.Pointer { return unsafe.Pointer(&d.limit) }

func (f *faultFrame) address() uintptr { return uintptr(unsafe.Pointer(f)) }

// The addresses of handlers, in funcvals that the entry code calls through.
var (
	bootVector      = bootProcessor
	processorVector = otherProcessor
	syscallVector   = handleSyscall
	trapVector      = handleTrap
	faultVector     = handleFault
	fatalVector     = handleFatal
)

// prepare gives a processor its stacks and its stand-in g. The stand-in g of
// the boot processor keeps the limits of boot's stack until firstResume.
func (c *cpu) prepare(id int32, apic uint32) bool {
	kernel, ok := space().MapStack(kernelStack)
	vector, ok2 := allocFrames(1)
	heap, ok3 := allocFrames(heapOrder)
	ring, ok4 := allocFrames(ringOrder)
	calls, ok5 := allocFrames(0)
	if !ok || !ok2 || !ok3 || !ok4 || !ok5 {
		return false
	}
	c.sleepers.tids, c.ring, c.calls = heap, ring, calls
	c.self = uintptr(unsafe.Pointer(c))
	c.id, c.apic = id, apic
	c.g = uintptr(unsafe.Pointer(&c.standIn))
	c.tls[0] = c.g
	c.fs = uintptr(unsafe.Pointer(&c.tls[1]))
	c.mode = modeKernel
	c.faultVector, c.nmiVector = vector, vector+mm.PageSize
	c.stack = uintptr(kernel.End())
	for i, size := range [...]uint64{istIRQ: irqStack, istFault: faultStack, istNMI: nmiStack, istDouble: doubleStack, istCheck: checkStack} {
		if size == 0 {
			continue // entry 0 of the table means none
		}
		r, ok := space().MapStack(size)
		if !ok {
			return false
		}
		top := uint64(r.End())
		c.tss[9+2*(i-1)] = uint32(top)
		c.tss[10+2*(i-1)] = uint32(top >> 32)
	}

	tss := uint64(uintptr(unsafe.Pointer(&c.tss)))
	limit := uint64(unsafe.Sizeof(c.tss) - 1)
	c.gdt = [5]uint64{
		0,
		0x00AF9B000000FFFF, // 64-bit code
		0x00CF93000000FFFF, // data
		limit | tss&0xFFFFFF<<16 | 0x89<<40 | tss>>24&0xFF<<56,
		tss >> 32,
	}
	return true
}

// useStack makes the stand-in g's limits those of the processor's own stacks.
func (c *cpu) useStack() {
	c.standIn.lo = c.stack - kernelStack
	c.standIn.hi = c.stack
	c.standIn.guard0 = c.standIn.lo + stackGuard
	c.standIn.guard1 = c.standIn.guard0
}

// enable turns on what a processor needs to enter the kernel: descriptor
// tables, the interrupt stack table, SYSCALL.
func (c *cpu) enable() {
	gdt := descriptor{limit: uint16(unsafe.Sizeof(c.gdt) - 1), base: uintptr(unsafe.Pointer(&c.gdt))}
	table := descriptor{limit: uint16(unsafe.Sizeof(idt) - 1), base: uintptr(unsafe.Pointer(&idt))}
	loadTables(gdt.operand(), table.operand(), selTSS)

	const (
		msrEFER  = 0xC0000080
		msrSTAR  = 0xC0000081
		msrLSTAR = 0xC0000082
		msrFMASK = 0xC0000084
	)
	x86.WriteMSR(msrEFER, x86.ReadMSR(msrEFER)|1)
	x86.WriteMSR(msrSTAR, selCode<<32)
	x86.WriteMSR(msrLSTAR, uint64(addressOfSyscallEntry()))
	x86.WriteMSR(msrFMASK, 0x700) // TF, IF, DF
	enableMachineCheck()
	local.Enable(vecTimer, vecSpurious, c.id == 0)
	c.online.Store(1)
}

// fillIDT points every vector to its stub, on the stack for its kind. All are
// interrupt gates, which turn interrupts off.
func fillIDT() {
	stubs := addressOfStubs()
	for v := range idt {
		ist := uint64(istIRQ)
		switch {
		case v == trapNMI:
			ist = istNMI
		case v == trapDouble:
			ist = istDouble
		case v == trapMachineCheck:
			ist = istCheck
		case v < 32:
			ist = istFault
		}
		at := uint64(stubs) + uint64(v)*16
		idt[v][0] = at&0xFFFF | selCode<<16 | ist<<32 | 0x8E<<40 | at>>16&0xFFFF<<48
		idt[v][1] = at >> 32
	}
}

// findFeatures looks at what boot.EnableFeatures has turned on.
func findFeatures() {
	cr4 := readCR4()
	haveFSGSBASE = cr4>>16&1 != 0
	haveXSAVE = cr4>>18&1 != 0
}

// pointer turns an address into a pointer. Sound because only memory outside
// Go's heap (frames in the direct map, static data, device registers) is
// reached through it, so the collector has no interest in it.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// allocFrames gives 2^order zeroed frames at their address in the direct map.
func allocFrames(order int) (uintptr, bool) {
	p, ok := mm.AllocKernel(order)
	return uintptr(p), ok
}

func thisCPU() *cpu
func inHandler() bool
func currentG() uintptr
func readCR2() uint64
func readCR3() uint64
func readCR4() uint64
func writeCR4(v uint64)
func readBP() uint64
func halt()
func stopForever()
func resume(t *thread)
func firstResume(t *thread)

//go:noescape
func loadTables(gdt, idt unsafe.Pointer, tss uint16)

func copyBytes(dst, src, n uintptr) bool
func copyFault(dst, src, n uintptr) bool
func addressOfSyscallEntry() uintptr
func addressOfStubs() uintptr
func addressOfCopy() (begin, fault uintptr)
func addressOfVDSO() uintptr
func addressOfProcessorEntry() uintptr
func addressOfProgram() uintptr
