//go:build metal

package x86

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

// Load32 and Store32 reach a device's register in memory, which is not cached: the
// processor itself keeps the order of these accesses, and that of earlier stores
// before them. A store is not sync/atomic's: that is an exchange, which locks the
// bus, and for which QEMU's emulator stops all processors.
func Load32(addr uintptr) uint32
func Store32(addr uintptr, v uint32)
