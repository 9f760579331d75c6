package boot

import "encoding/binary"

// Memory gives the bytes of physical memory [addr, addr+size), or nil if they
// cannot be read. Parsers take it as a plain function, so that tests can give
// them any memory; on metal it is a static function.
type Memory func(addr, size uint64) []byte

func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }

// cString returns the bytes at addr up to a zero, max at most.
func cString(mem Memory, addr uint64, max uint64) []byte {
	// The string may stand at the very end of readable memory, so ask for
	// less until it can be read.
	for ; max > 0; max /= 2 {
		if b := mem(addr, max); b != nil {
			for i := range b {
				if b[i] == 0 {
					return b[:i]
				}
			}
			return b
		}
	}
	return nil
}
