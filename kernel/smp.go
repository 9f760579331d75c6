//go:build metal

package kernel

import (
	"nuos/boot/acpi"
	"nuos/mm"
)

// Starting the other processors: INIT and start-up interrupts (SDM vol. 3,
// 9.4) to each processor that ACPI lists, one after the other.

// startPage is where they begin, in real mode; mm keeps it free and maps it at
// its physical address.
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
	0x49, 0xB9, 0, 0, 0, 0, 0, 0, 0, 0, // MOV R9, the cpu block
	0xFF, 0xE0, // JMP RAX
}

const (
	atRoot  = 0x17
	atEFER  = 0x28
	atEntry = 0x4A
	atBlock = 0x54
	atTable = 0x80 // GDT descriptor: limit, base
	atGDT   = 0x90
)

// startOthers starts all processors but this one and returns how many did not
// come up.
func startOthers(tables *acpi.Tables) (failed int) {
	page := uintptr(mm.DirectArea.Base) + startPage
	for i := range trampoline {
		*(*byte)(pointer(page + uintptr(i))) = trampoline[i]
	}
	const msrEFER = 0xC0000080
	*(*uint32)(pointer(page + atRoot)) = uint32(readCR3())
	*(*uint32)(pointer(page + atEFER)) = uint32(rdmsr(msrEFER)) & 0x900
	*(*uint64)(pointer(page + atEntry)) = uint64(addressOfProcessorEntry())
	*(*uint16)(pointer(page + atTable)) = 3*8 - 1
	*(*uint32)(pointer(page + atTable + 2)) = startPage + atGDT
	for i, d := range [3]uint64{0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF} {
		*(*uint64)(pointer(page + atGDT + uintptr(i)*8)) = d
	}
	for i := range tables.NumProcessors {
		id := tables.Processors[i].APIC
		if id == cpus[0].apic || id > 254 && !apic.x2 {
			continue
		}
		if numCPUs == maxCPUs {
			failed++
			continue
		}
		if !startProcessor(page, id) {
			failed++
		}
	}
	return failed
}

func startProcessor(page uintptr, id uint32) bool {
	c := &cpus[numCPUs]
	if !c.prepare(numCPUs, id) {
		return false
	}
	c.useStack()
	*(*uint64)(pointer(page + atBlock)) = uint64(c.self)
	sendIPI(id, apicInit|apicAssert)
	delay(10e6)
	for range 2 {
		sendIPI(id, apicStartUp|apicAssert|startPage>>12)
		for start := nanotime(); nanotime()-start < 200e6; pause() {
			if c.online.Load() != 0 {
				numCPUs++
				return true
			}
		}
	}
	return false
}

// otherProcessor is the first Go code of every other processor.
func otherProcessor(c *cpu) {
	c.enable()
	for started.Load() == 0 {
		relax()
	}
	lock()
	resume(c.leave(nil))
}

func delay(ns int64) {
	for start := nanotime(); nanotime()-start < ns; {
		pause()
	}
}
