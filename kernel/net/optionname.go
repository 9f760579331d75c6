package net

import (
	"syscall"

	"nuos/kernel"
)

// Options whose values are names: the interface of SO_BINDTODEVICE and the congestion
// control of TCP_CONGESTION. Both are padded with zero bytes to 16 (IFNAMSIZ and
// TCP_CA_NAME_MAX). Handler context.

const nameSize = 16

// loadName reads a name and returns its number: 0 is no interface, and the default way.
func loadName(o int, addr, size uintptr) (int32, syscall.Errno) {
	if o == optCongestion && size < 1 {
		return 0, syscall.EINVAL
	}
	var b [nameSize]byte
	if !kernel.CopyIn(b[:min(size, nameSize-1)], addr) {
		return 0, syscall.EFAULT
	}
	name := upToZero(&b)
	if o == optDevice {
		if len(name) == 0 {
			return 0, 0
		}
		if n := interfaceNamed(name); n != nil {
			return int32(n.index), 0
		}
		return 0, syscall.ENODEV
	}
	for k := range congestionNames {
		if string(name) == congestionNames[k] {
			return int32(k), 0
		}
	}
	return 0, syscall.ENOENT
}

func upToZero(b *[nameSize]byte) []byte {
	for n := range b {
		if b[n] == 0 {
			return b[:n]
		}
	}
	return b[:]
}

// putName stores a name, and its size. The name of no interface has none.
func putName(o, number int, addr, sizeAt uintptr, room uint32) int {
	var b [nameSize]byte
	size := uint32(0)
	if o == optCongestion {
		copy(b[:], congestionNames[number])
		size = min(nameSize, room)
	} else if n := interfaceAt(uint32(number)); n != nil {
		if room < nameSize {
			return fail(syscall.EINVAL)
		}
		copy(b[:], n.name)
		size = uint32(len(n.name)) + 1
	}
	if !kernel.CopyOut(addr, b[:size]) || !putWord(sizeAt, size) {
		return fail(syscall.EFAULT)
	}
	return 0
}
