package boot

import "encoding/binary"

// Memory gives the bytes of physical memory [addr, addr+size), or nil if they
// cannot be read. Parsers take it as a plain function, so that tests can give
// them any memory; on metal it is a static function.
type Memory func(addr, size uint64) []byte

//go:noinline
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }

//go:noinline
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }

// cString returns the bytes at addr up to a zero, max at most, and whether the
// zero was found. The string may stand at the very end of readable memory, so
// it is looked at byte by byte.
func cString(mem Memory, addr, max uint64) (b []byte, whole bool) {
	n := uint64(0)
	for n < max {
		c := mem(addr+n, 1)
		if c == nil {
			break
		}
		if c[0] == 0 {
			whole = true
			break
		}
		n++
	}
	return mem(addr, n), whole
}
