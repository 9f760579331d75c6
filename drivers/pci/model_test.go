package pci

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"nuos/mm"
)

// machineModel is configuration space as hardware behaves: BARs and windows
// keep the bits that their sizes allow, buses answer when a bridge leads to
// them.
type machineModel struct {
	t     testing.TB
	root  uint8
	bus0  map[[2]uint8]*functionModel // by device and function
	ports []byte                      // what MapDevice shows for every address
}

type functionModel struct {
	space [256]byte
	// writable has the bits of BARs and windows that can be set.
	writable [256]byte
	behind   map[[2]uint8]*functionModel // bridges
}

func newFunction(vendor, device uint16, class uint32, header uint8) *functionModel {
	f := &functionModel{}
	binary.LittleEndian.PutUint16(f.space[0:], vendor)
	binary.LittleEndian.PutUint16(f.space[2:], device)
	binary.LittleEndian.PutUint32(f.space[8:], class<<8|1)
	f.space[0x0e] = header
	copy(f.writable[4:], []byte{0xff, 0xff})
	if header&0x7f == headerBridge {
		f.behind = map[[2]uint8]*functionModel{}
		for i := 0x18; i < 0x30; i++ {
			f.writable[i] = 0xff
		}
	}
	return f
}

// bar makes BAR i a memory BAR of size bytes at base.
func (f *functionModel) bar(i int, flags uint32, size, base uint64) *functionModel {
	at := regBAR + 4*i
	mask := ^(size - 1)
	binary.LittleEndian.PutUint32(f.space[at:], uint32(base)|flags)
	binary.LittleEndian.PutUint32(f.writable[at:], uint32(mask)&^15)
	if flags&barTypeMask == barWide {
		binary.LittleEndian.PutUint32(f.space[at+4:], uint32(base>>32))
		binary.LittleEndian.PutUint32(f.writable[at+4:], uint32(mask>>32))
	}
	return f
}

// capability puts one at offset, in front of the list.
func (f *functionModel) capability(offset int, b ...byte) *functionModel {
	copy(f.space[offset:], b)
	f.space[offset+1] = f.space[regCapPointer]
	f.space[regCapPointer] = byte(offset)
	f.space[regStatus] |= statusCapabilities
	return f
}

func (m *machineModel) find(a Address) *functionModel {
	return find(m.bus0, m.root, a, 0)
}

func find(bus map[[2]uint8]*functionModel, number uint8, a Address, depth int) *functionModel {
	if number == a.Bus {
		return bus[[2]uint8{a.Device, a.Function}]
	}
	for _, f := range bus {
		if f.behind == nil || depth > 8 {
			continue
		}
		if first, last := f.space[regSecondary], f.space[regSubordinate]; first != 0 && first <= a.Bus && a.Bus <= last {
			if found := find(f.behind, first, a, depth+1); found != nil {
				return found
			}
		}
	}
	return nil
}

func (m *machineModel) Read(a Address, offset, size int) uint32 {
	if offset%size != 0 || offset+size > 256 {
		m.t.Errorf("read of %d bytes at %#x", size, offset)
		return 0
	}
	f := m.find(a)
	if f == nil {
		return uint32(1<<(8*size) - 1)
	}
	v := uint32(0)
	for i := range size {
		v |= uint32(f.space[offset+i]) << (8 * i)
	}
	return v
}

func (m *machineModel) Write(a Address, offset, size int, v uint32) {
	if offset%size != 0 || offset+size > 256 {
		m.t.Errorf("write of %d bytes at %#x", size, offset)
		return
	}
	if f := m.find(a); f != nil {
		for i := range size {
			mask := f.writable[offset+i]
			f.space[offset+i] = f.space[offset+i]&^mask | byte(v>>(8*i))&mask
		}
	}
}

func (m *machineModel) mapDevice(p mm.Phys, size uint64) (Registers, error) {
	if uint64(len(m.ports)) < size {
		m.ports = make([]byte, size)
	}
	return Registers{Base: mm.Virt(uintptr(unsafe.Pointer(&m.ports[0]))), Size: size}, nil
}

// windows with room for all of a test's functions.
var roomy = NewWindows([]mm.PhysRange{{Base: 0, Size: 1 << 30}, {Base: 0xe000_0000, Size: 0x1000_0000}}, 40)
