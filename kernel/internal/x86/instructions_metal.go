//go:build metal

package x86

import (
	"sync/atomic"
	"unsafe"
)

// In8 and the like read and write I/O ports.
func In8(port uint16) uint8
func In32(port uint16) uint32
func Out8(port uint16, v uint8)

// CPUID asks the processor about itself (SDM vol. 2, CPUID).
func CPUID(leaf, sub uint32) (a, b, c, d uint32)

// ReadMSR and WriteMSR reach the model-specific registers. One that does not
// exist is a protection fault.
func ReadMSR(msr uint32) uint64

// WriteMSR waits for earlier stores, which the processor does not for the
// registers of the x2APIC and the TSC deadline (SDM vol. 3, 11.12.3).
func WriteMSR(msr uint32, v uint64)

// ReadTSC reads the time stamp counter after all earlier instructions.
func ReadTSC() uint64

// Random is RDRAND, Seed RDSEED; both fail when the processor has no numbers
// ready, and must not be used where CPUID does not have them.
func Random() (v uint64, ok bool)
func Seed() (v uint64, ok bool)

// Pause is a hint in loops that wait.
func Pause()

// Load32 and Store32 reach a device's register in memory.
func Load32(addr uintptr) uint32     { return atomic.LoadUint32(register(addr)) }
func Store32(addr uintptr, v uint32) { atomic.StoreUint32(register(addr), v) }

// register turns an address into a pointer. Sound because registers are no
// memory of Go's heap, in which the collector has no interest.
func register(addr uintptr) *uint32 { return *(**uint32)(unsafe.Pointer(&addr)) }
