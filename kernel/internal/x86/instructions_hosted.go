//go:build !metal

package x86

// Model is hardware that a test makes up.
type Model interface {
	In8(port uint16) uint8
	In32(port uint16) uint32
	Out8(port uint16, v uint8)
	CPUID(leaf, sub uint32) (a, b, c, d uint32)
	ReadMSR(msr uint32) uint64
	WriteMSR(msr uint32, v uint64)
	ReadTSC() uint64
	Random() (v uint64, ok bool)
	Seed() (v uint64, ok bool)
	Pause()
	Load32(addr uintptr) uint32
	Store32(addr uintptr, v uint32)
}

// Machine is the hardware of the test that runs.
var Machine Model

func In8(port uint16) uint8                      { return Machine.In8(port) }
func In32(port uint16) uint32                    { return Machine.In32(port) }
func Out8(port uint16, v uint8)                  { Machine.Out8(port, v) }
func CPUID(leaf, sub uint32) (a, b, c, d uint32) { return Machine.CPUID(leaf, sub) }
func ReadMSR(msr uint32) uint64                  { return Machine.ReadMSR(msr) }
func WriteMSR(msr uint32, v uint64)              { Machine.WriteMSR(msr, v) }
func ReadTSC() uint64                            { return Machine.ReadTSC() }
func Random() (v uint64, ok bool)                { return Machine.Random() }
func Seed() (v uint64, ok bool)                  { return Machine.Seed() }
func Pause()                                     { Machine.Pause() }
func Load32(addr uintptr) uint32                 { return Machine.Load32(addr) }
func Store32(addr uintptr, v uint32)             { Machine.Store32(addr, v) }
