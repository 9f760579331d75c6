//go:build metal

package boot

import "unsafe"

// What the entry code stores before any Go code runs.
var (
	loaderMagic uint32 // EAX
	loaderInfo  uint32 // EBX, a physical address
	loadOffset  uint64 // physical minus linked address of the image, modulo 2^64
)

// machine is written by Parse and read-only afterwards.
var machine Info

// Parse reads what the loader left behind and returns why the machine must not
// start, if so. The kernel calls it once, on the boot processor, while the
// address space is still that of the entry code; it needs no heap and may run
// before the Go runtime is up.
func Parse() Refusal {
	machine.Image = Region{stamp.Start + loadOffset, stamp.End - stamp.Start, Reserved}
	machine.OnDemand = Region{stamp.End, stamp.Limit - stamp.End, Reserved}
	machine.MinMemory = stamp.MinMemory
	return machine.parse(EarlyMemory, loaderMagic, uint64(loaderInfo))
}

// Machine returns what Parse found. The result is shared and must not be
// changed.
func Machine() *Info { return &machine }

// EarlyMemory is the Memory of a machine that starts: it reads physical memory
// through the part of the direct map that the entry code made, so only below
// EarlyMapped and only until mm has replaced that map. The slice points to
// memory outside the Go heap, which the collector ignores; the address is read
// back as a pointer because a conversion would look like one from a stale
// uintptr.
func EarlyMemory(addr, size uint64) []byte {
	if addr >= EarlyMapped || size > EarlyMapped-addr {
		return nil
	}
	v := uintptr(DirectMap + addr)
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&v)), size)
}
