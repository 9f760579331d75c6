package virtio

import (
	"encoding/binary"
	"errors"
	"testing"

	"nuos/drivers/pci"
	"nuos/mm"
)

// pciModel is the configuration space of one network device, whose registers
// are plain memory: they keep what is written, which is enough to see what the
// transport writes, and where.
type pciModel struct {
	space     [256]byte
	registers region
}

const modelBAR = 0x4000

func (m *pciModel) Read(a pci.Address, offset, size int) (v uint32) {
	if a != (pci.Address{Device: 3}) {
		return ^uint32(0) >> (32 - 8*size)
	}
	for i := range size {
		v |= uint32(m.space[offset+i]) << (8 * i)
	}
	return v
}

func (m *pciModel) Write(a pci.Address, offset, size int, v uint32) {
	if a != (pci.Address{Device: 3}) {
		return
	}
	for i := range size {
		m.space[offset+i] = byte(v >> (8 * i))
	}
	if offset == 0x20 && size == 4 { // BAR 4 is of modelBAR bytes, 32 bits wide
		binary.LittleEndian.PutUint32(m.space[offset:], v&^(modelBAR-1))
	} else if offset >= 0x10 && offset < 0x28 {
		clear(m.space[offset : offset+size])
	}
}

// newPCIModel has the capabilities where QEMU has them.
func newPCIModel(t testing.TB) *pciModel {
	mem, err := newRegion(modelBAR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mem.free)
	m := &pciModel{registers: mem}
	binary.LittleEndian.PutUint16(m.space[0:], pciVendor)
	binary.LittleEndian.PutUint16(m.space[2:], pciModern)
	m.space[6] = 1 << 4 // has capabilities
	m.space[0x34] = 0x40
	binary.LittleEndian.PutUint32(m.space[0x20:], 0xfe00_0000)
	at := 0x40
	add := func(b ...byte) {
		b[1] = byte(at + len(b))
		at += copy(m.space[at:], b)
	}
	block := func(kind byte, offset, length uint32, more ...byte) {
		b := []byte{pci.CapVendor, 0, byte(16 + len(more)), kind, 4, 0, 0, 0}
		b = binary.LittleEndian.AppendUint32(b, offset)
		add(append(binary.LittleEndian.AppendUint32(b, length), more...)...)
	}
	block(capCommon, 0, 0x1000)
	block(3, 0x1000, 0x1000)
	block(capDevice, 0x2000, 0x1000)
	block(capNotify, 0x3000, 0x800, 4, 0, 0, 0)
	add(pci.CapMSIX, 0, 1, 0, 4, 0x38, 0, 0, 4, 0x3c, 0, 0) // two vectors at 0x3800
	m.space[at-11] = 0                                      // the last of the list

	r := mem.slice(0, modelBAR)
	// Both halves of the features read alike: bit 0 of the upper is VERSION_1.
	binary.LittleEndian.PutUint32(r[commonDevice:], featMAC|featMTU|featMrgRxbuf|1)
	binary.LittleEndian.PutUint16(r[commonQueueSize:], 64)
	binary.LittleEndian.PutUint16(r[commonQueueNotify:], 3)
	copy(r[0x2000:], []byte{2, 0, 0, 0, 0, 7, 1, 0, 1, 0, 9000 & 0xff, 9000 >> 8})
	return m
}

func (m *pciModel) open() (*Device, error) {
	bus := pci.Scan(m, 0, pci.NewWindows([]mm.PhysRange{{Base: 0, Size: 1 << 30}}, 40),
		func(mm.Phys, uint64) (mm.Virt, error) { return m.registers.Base, nil })
	found := bus.Find(IsNet)
	if len(found) == 0 {
		return nil, pci.ErrNoPCI
	}
	return open(&pciTransport{fn: found[0], interrupts: interrupts{
		alloc:   func(int) (uint64, uint32, error) { return 0xfee0_1000, 0x42, nil },
		watch:   func(*uint16, int) error { return nil },
		unwatch: func(*uint16) {},
	}}, options{})
}

func TestPCIRegisters(t *testing.T) {
	m := newPCIModel(t)
	d, err := m.open()
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Info().MAC.String(); got != "02:00:00:00:00:07" || d.Info().MTU != 9000 {
		t.Errorf("Info = %+v", d.Info())
	}
	r := m.registers.slice(0, modelBAR)
	q := d.tx.q // the last that was selected
	for _, c := range []struct {
		name   string
		offset int
		size   int
		want   uint64
	}{
		{"status", commonStatus, 1, 15},
		{"configuration vector", commonConfigVector, 2, noVector},
		{"queue", commonQueueSelect, 2, sendQueue},
		{"queue vector", commonQueueVector, 2, noVector},
		{"enable", commonQueueEnable, 2, 1},
		{"descriptors", commonQueueDesc, 8, uint64(q.mem.phys)},
		{"available ring", commonQueueDriver, 8, uint64(q.mem.phys) + 16*64},
		{"used ring", commonQueueDevice, 8, uint64(q.mem.phys) + 4096},
		{"driver features, upper half", commonDriver, 4, featVersion1 >> 32},
		{"message address", 0x3800, 8, 0xfee0_1000},
		{"message data and mask", 0x3808, 8, 0x42},
		{"second message is masked", 0x381c, 4, 1},
		{"bell of the receive queue, rung for its buffers", 0x3000 + 3*4, 2, receiveQueue},
	} {
		var b [8]byte
		copy(b[:c.size], r[c.offset:])
		if got := binary.LittleEndian.Uint64(b[:]); got != c.want {
			t.Errorf("%s: %#x; want %#x", c.name, got, c.want)
		}
	}
	if m.space[4]&6 != 6 {
		t.Errorf("command register %#x: memory and bus master must be on", m.space[4])
	}
	d.Send(nil)
	if err := d.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if r[commonStatus] != 0 || m.space[4]&4 != 0 {
		t.Errorf("after Close: status %#x, command %#x; want a reset device that is no bus master", r[commonStatus], m.space[4])
	}
}

func TestPCIErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(m *pciModel)
		want  error
	}{
		{"no capabilities", func(m *pciModel) { m.space[6] = 0 }, ErrLegacy},
		{"no BAR", func(m *pciModel) { m.space[0x44] = 2 }, pci.ErrNoBAR},
		{"no MSI-X", func(m *pciModel) { m.space[0x40+3*16+20] = pci.CapVendor }, pci.ErrNoMSIX},
		{"no queues", func(m *pciModel) { clear(m.registers.slice(commonQueueSize, commonQueueSize+2)) }, ErrQueue},
		{"bell outside", func(m *pciModel) { m.registers.slice(0, modelBAR)[commonQueueNotify+1] = 0x7f }, ErrQueue},
		{"no version 1", func(m *pciModel) { m.registers.slice(0, modelBAR)[commonDevice] &^= 1 }, ErrLegacy},
	} {
		m := newPCIModel(t)
		c.spoil(m)
		if _, err := m.open(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", c.name, err, c.want)
		}
	}
}

// FuzzPCICapabilities opens devices whose capabilities say anything.
func FuzzPCICapabilities(f *testing.F) {
	good := newPCIModel(f)
	f.Add(good.space[0x40:0xa0], uint16(64), uint16(3))
	f.Add([]byte{pci.CapVendor, 0x40, 255, 1, 9}, uint16(0), uint16(0xffff))
	f.Fuzz(func(t *testing.T, capabilities []byte, size, notify uint16) {
		m := newPCIModel(t)
		copy(m.space[0x40:], capabilities)
		r := m.registers.slice(0, modelBAR)
		binary.LittleEndian.PutUint16(r[commonQueueSize:], size)
		binary.LittleEndian.PutUint16(r[commonQueueNotify:], notify)
		if d, err := m.open(); err == nil {
			d.Close()
		}
	})
}
