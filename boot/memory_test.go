package boot

import "encoding/binary"

// ram is physical memory for tests: bytes from address base on.
type ram struct {
	base  uint64
	bytes []byte
}

func (r ram) memory(addr, size uint64) []byte {
	if addr < r.base || size > uint64(len(r.bytes)) || addr-r.base > uint64(len(r.bytes))-size {
		return nil
	}
	at := addr - r.base
	return r.bytes[at : at+size : at+size]
}

// put writes fixed-size values at addr, one after the other.
func (r ram) put(addr uint64, values ...any) {
	at := addr - r.base
	for _, v := range values {
		n, err := binary.Encode(r.bytes[at:], binary.LittleEndian, v)
		if err != nil {
			panic(err)
		}
		at += uint64(n)
	}
}

func newRAM(base, size uint64) ram { return ram{base, make([]byte, size)} }
