package apic

import "nuos/kernel/internal/x86"

const (
	msrBase  = 0x1B
	msrFirst = 0x800 // of the registers in x2APIC mode

	regID       = 0x20
	regTPR      = 0x80
	regEOI      = 0xB0
	regSpurious = 0xF0
	regICR      = 0x300
	regTimer    = 0x320
	regLINT0    = 0x350
	regLINT1    = 0x360
	regError    = 0x370
	regInitial  = 0x380
	regCurrent  = 0x390
	regDivide   = 0x3E0

	baseX2     = 1 << 10 // in msrBase
	baseEnable = 1 << 11
	softEnable = 1 << 8 // in regSpurious

	masked  = 1 << 16
	pending = 1 << 12 // in regICR
)

// Commands to other processors besides plain vectors (SDM vol. 3, 11.6.1).
const (
	NMI     = 4 << 8
	Init    = 5 << 8
	StartUp = 6 << 8 // and the number of the page to start in

	assert = 1 << 14
)

// Local is how the local APICs of the machine are spoken to.
type Local struct {
	x2       bool
	deadline bool    // the timer takes one
	base     uintptr // of the registers in xAPIC mode
	perNano  uint64  // of what the timer counts, 32.32 fixed point
}

// Find looks at what the processor has. If registers is not zero, that is the physical
// address of 4 KiB of registers, which Map must be told of before anything else is used.
func (l *Local) Find() (registers uint64) {
	const haveX2, haveDeadline = 1 << 21, 1 << 24
	_, _, features, _ := x86.CPUID(1, 0)
	l.x2 = features&haveX2 != 0
	l.deadline = features&haveDeadline != 0
	l.switchOn()
	if l.x2 {
		return 0
	}
	return x86.ReadMSR(msrBase) & 0xF_FFFF_F000
}

// Map says where the registers can be reached.
func (l *Local) Map(base uintptr) { l.base = base }

func (l *Local) read(reg uint32) uint32 {
	if l.x2 {
		return uint32(x86.ReadMSR(msrFirst + reg>>4))
	}
	return x86.Load32(l.base + uintptr(reg))
}

func (l *Local) write(reg, v uint32) {
	if l.x2 {
		x86.WriteMSR(msrFirst+reg>>4, uint64(v))
		return
	}
	x86.Store32(l.base+uintptr(reg), v)
}

// ID is the identity of the processor.
func (l *Local) ID() uint32 {
	if l.x2 {
		return l.read(regID)
	}
	return l.read(regID) >> 24
}

// Reaches reports whether a processor with that identity can be sent interrupts.
func (l *Local) Reaches(id uint32) bool { return l.x2 || id < 0xFF }

// switchOn enables the processor's local APIC in the mode that is used. From xAPIC to
// x2APIC is the one change of mode that is allowed without switching off.
func (l *Local) switchOn() {
	v := x86.ReadMSR(msrBase) | baseEnable
	if l.x2 {
		v |= baseX2
	}
	x86.WriteMSR(msrBase, v)
}

// Enable turns the processor's local APIC on, with the vectors of its timer and of
// spurious interrupts. All other sources are masked, but for LINT1, the wire of
// non-maskable interrupts on all PCs, if nmi is set.
func (l *Local) Enable(timer, spurious uint32, nmi bool) {
	l.switchOn()
	l.write(regSpurious, softEnable|spurious)
	l.write(regTPR, 0)
	l.write(regLINT0, masked)
	if nmi {
		l.write(regLINT1, NMI)
	} else {
		l.write(regLINT1, masked)
	}
	l.write(regError, masked)
	l.enableTimer(timer)
	l.EndOfInterrupt()
}

// EndOfInterrupt lets the next interrupt of the same or a lower class come.
func (l *Local) EndOfInterrupt() { l.write(regEOI, 0) }

// Send sends a vector or a command to one processor.
func (l *Local) Send(to, command uint32) {
	command |= assert
	if l.x2 {
		x86.WriteMSR(msrFirst+regICR>>4, uint64(to)<<32|uint64(command))
		return
	}
	l.settle()
	x86.Store32(l.base+regICR+0x10, to<<24)
	x86.Store32(l.base+regICR, command)
}

// settle waits until the last command has been sent, so that the next may be written
// (SDM vol. 3, 11.6.1). x2APICs do that by themselves.
func (l *Local) settle() {
	for x86.Load32(l.base+regICR)&pending != 0 {
		x86.Pause()
	}
}
