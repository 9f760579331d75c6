//go:build metal

package kernel

import (
	"sync/atomic"

	"nuos/boot/acpi"
	"nuos/kernel/internal/apic"
	"nuos/kernel/internal/tsc"
	"nuos/kernel/internal/x86"
	"nuos/mm"
)

// Starting the other processors: INIT and start-up interrupts (SDM vol. 3,
// 9.4) to each processor that ACPI lists, one after the other.

// startPage is where they begin, in real mode; mm keeps it free, and maps it at
// its physical address until they have begun.
const startPage = 0x8000

// trampoline takes a processor from real mode at startPage to processorEntry in
// 64-bit mode. It is 16-bit code up to the far jump. The fields that
// startProcessor fills in are at the offsets below.
var trampoline = [...]byte{
	0xFA,       // CLI
	0xFC,       // CLD
	0x8C, 0xC8, // MOV AX, CS
	0x8E, 0xD8, // MOV DS, AX
	0x66, 0x0F, 0x01, 0x16, 0x80, 0x00, // LGDT [0x80]
	0x66, 0xB8, 0x20, 0, 0, 0, // MOV EAX, PAE
	0x0F, 0x22, 0xE0, // MOV CR4, EAX
	0x66, 0xB8, 0, 0, 0, 0, // MOV EAX, root
	0x0F, 0x22, 0xD8, // MOV CR3, EAX
	0x66, 0xB9, 0x80, 0x00, 0x00, 0xC0, // MOV ECX, EFER
	0x0F, 0x32, // RDMSR
	0x66, 0x0D, 0, 0, 0, 0, // OR EAX, LME and NXE
	0x0F, 0x30, // WRMSR
	0x0F, 0x20, 0xC0, // MOV EAX, CR0
	0x66, 0x25, 0xFF, 0xFF, 0xFF, 0x9F, // AND EAX, not CD, not NW
	0x66, 0x0D, 0x01, 0x00, 0x01, 0x80, // OR EAX, PG, WP, PE
	0x0F, 0x22, 0xC0, // MOV CR0, EAX
	0x66, 0xEA, 0x48, 0x80, 0x00, 0x00, 0x08, 0x00, // JMP 8:startPage+0x48
	0x48, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, // MOV RAX, processorEntry
	0x48, 0xB9, 0, 0, 0, 0, 0, 0, 0, 0, // MOV RCX, the address of the offer
	0x45, 0x31, 0xC9, // XOR R9D, R9D
	0x4C, 0x87, 0x09, // XCHG [RCX], R9
	0x4D, 0x85, 0xC9, // TEST R9, R9
	0x74, 0x02, // JE over the jump
	0xFF, 0xE0, // JMP RAX
	0xF4,       // HLT
	0xEB, 0xFD, // JMP to the HLT
}

const (
	atRoot  = 0x17
	atEFER  = 0x28
	atEntry = 0x4A
	atWhere = 0x54
	atTable = 0x80 // GDT descriptor: limit, base
	atGDT   = 0x90
	atOffer = 0xB0 // the cpu block of the processor that is to start; it takes it away
)

// startOthers starts all processors but this one and returns how many did not
// come up.
func startOthers(tables *acpi.Tables) (failed int) {
	if tables.NumProcessors < 2 {
		return 0
	}
	if !space().MapStart(startPage) {
		return tables.NumProcessors - 1
	}
	page := uintptr(mm.DirectArea.Base) + startPage
	for i := range trampoline {
		*(*byte)(pointer(page + uintptr(i))) = trampoline[i]
	}
	const msrEFER = 0xC0000080
	*(*uint32)(pointer(page + atRoot)) = uint32(readCR3())
	*(*uint32)(pointer(page + atEFER)) = uint32(x86.ReadMSR(msrEFER)) & 0x900
	*(*uint64)(pointer(page + atEntry)) = uint64(addressOfProcessorEntry())
	*(*uint64)(pointer(page + atWhere)) = uint64(page + atOffer)
	*(*uint16)(pointer(page + atTable)) = 3*8 - 1
	*(*uint32)(pointer(page + atTable + 2)) = startPage + atGDT
	for i, d := range [3]uint64{0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF} {
		*(*uint64)(pointer(page + atGDT + uintptr(i)*8)) = d
	}
	offer := (*atomic.Uintptr)(pointer(page + atOffer))

	// All are reset first, so that those that need time for it have it while
	// others start.
	others := tables.Processors[:tables.NumProcessors]
	for i := range others {
		if id := others[i].APIC; startable(id) {
			local.Send(id, apic.Init)
		}
	}
	for i := range others {
		id := others[i].APIC
		switch {
		case id == cpus[0].apic:
		case numCPUs == maxCPUs || !startable(id) || !startProcessor(offer, id):
			failed++
		}
	}
	if failed == 0 {
		// Nobody comes any more. One that is late needs the page to halt on.
		space().UnmapStart(startPage)
	}
	return failed
}

// startable reports whether a processor is another one that can be reached.
func startable(id uint32) bool { return id != cpus[0].apic && local.Reaches(id) }

// startProcessor starts one processor and waits until it runs. The manual's
// delays are those of the processors of its time; today's need none, which Linux
// relies on too. A start-up interrupt that comes too early is lost and is sent
// again; one that comes too late does nothing.
//
// The processor of an emulator may be late for as long as the host has other
// things to do. So it takes its block away from where it is offered: one that is
// given up finds none there and halts, and does not share the next one's stack.
func startProcessor(offer *atomic.Uintptr, id uint32) bool {
	c := &cpus[numCPUs]
	if !c.prepare(numCPUs, id) {
		return false
	}
	c.useStack()
	offer.Store(c.self)
	taken := func() bool { return offer.Load() == 0 }
	for patience := int64(1e6); patience < 2e9 && !taken(); patience *= 2 {
		local.Send(id, apic.StartUp|startPage>>12)
		for start := nanotime(); !taken() && nanotime()-start < patience; {
			x86.Pause()
		}
	}
	if offer.Swap(0) != 0 {
		return false
	}
	for start := nanotime(); c.online.Load() == 0; x86.Pause() {
		if nanotime()-start > 60e9 {
			refuse("a processor began to start and never came to its end")
		}
	}
	same := meeting.Ask()
	numCPUs++
	if !same {
		processorsDiffer(acpi.Machine())
	}
	return true
}

// meeting is where a processor that has started has its time stamp counter compared with
// that of processor 0.
var meeting tsc.Meeting

// otherProcessor is the first Go code of every other processor. It sleeps while
// the rest are started, for processors of an emulator that poll take the time of
// those that work.
func otherProcessor(c *cpu) {
	c.enable()
	meeting.Answer()
	for started.Load() == 0 {
		answerFlush()
		halt()
		c.pending = [4]uint64{}
		local.EndOfInterrupt()
	}
	resume(c.leave())
}

// startThreads lets threads run on all processors.
func startThreads() {
	scheduler.SetProcessors(numCPUs)
	started.Store(1)
	for i := int32(1); i < numCPUs; i++ {
		cpus[i].interrupt(vecResched)
	}
}
