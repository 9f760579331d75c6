// Package virtiotest is a virtio device on PCI for tests of drivers: configuration space, and
// registers that keep what is written, which is enough to see what a driver writes, and
// where. What a device does beyond that the tests do, in the functions OnLoad and OnStore. It is
// written against the specification (Virtual I/O Device 1.2) and shares no code with
// package virtiopci.
package virtiotest

import (
	"encoding/binary"

	"nuos/drivers/pci"
	"nuos/mm"
)

// Where a Model has its registers, in its one BAR, and in them what tests look at: the common
// configuration (4.1.4.3), the device's own, the bells and the MSI-X table.
const (
	DeviceFeatures = 0x04 // both halves read alike
	DriverFeatures = 0x0c
	ConfigVector   = 0x10
	Status         = 0x14
	QueueSelect    = 0x16
	QueueSize      = 0x18
	QueueVector    = 0x1a
	QueueEnable    = 0x1c
	QueueNotify    = 0x1e
	QueueDesc      = 0x20
	QueueDriver    = 0x28
	QueueDevice    = 0x30
	Config         = 0x2000
	Bells          = 0x3000 // one every 4 bytes
	MSIX           = 0x3800 // two vectors

	barBytes = 0x4000
)

// Where a Model has its capabilities, in configuration space.
const (
	CapCommon = 0x40
	CapISR    = 0x50
	CapDevice = 0x60
	CapNotify = 0x70
	CapMSIX   = 0x84
	CapEnd    = 0x90
)

// Model is one device.
type Model struct {
	Space     [256]byte // configuration space
	Registers []byte    // its BAR 4

	// OnLoad, when set, is asked what a register has in which v lies; OnStore is told of what
	// has been written.
	OnLoad  func(offset int, v uint64) uint64
	OnStore func(offset int, v uint64)
}

// New returns a model of the device with a number (4.1.2), as QEMU would lay it out. It offers
// version 1 and has queues of 64 entries, with the bell of each at the place 3.
func New(device uint16) *Model {
	m := &Model{Registers: make([]byte, barBytes)}
	binary.LittleEndian.PutUint16(m.Space[0:], 0x1af4)
	binary.LittleEndian.PutUint16(m.Space[2:], device)
	m.Space[6] = 1 << 4 // has capabilities
	m.Space[0x34] = CapCommon
	binary.LittleEndian.PutUint32(m.Space[0x20:], 0xfe00_0000)
	m.block(CapCommon, CapISR, 1, 0, 0x1000)
	m.block(CapISR, CapDevice, 3, 0x1000, 0x1000)
	m.block(CapDevice, CapNotify, 4, Config, 0x1000)
	m.block(CapNotify, CapMSIX, 2, Bells, 0x800)
	m.Space[CapNotify+2] = 20
	m.Space[CapNotify+16] = 4 // notify_off_multiplier
	// Table and pending bits in BAR 4.
	copy(m.Space[CapMSIX:], []byte{pci.CapMSIX, 0, 1, 0, 4, MSIX >> 8, 0, 0, 4, MSIX>>8 + 4, 0, 0})

	binary.LittleEndian.PutUint32(m.Registers[DeviceFeatures:], 1) // bit 0 of the upper half is VERSION_1
	binary.LittleEndian.PutUint16(m.Registers[QueueSize:], 64)
	binary.LittleEndian.PutUint16(m.Registers[QueueNotify:], 3)
	return m
}

// block writes a capability that names a block of registers (4.1.4).
func (m *Model) block(at, next, kind byte, offset, length uint32) {
	b := m.Space[at:]
	copy(b, []byte{pci.CapVendor, next, 16, kind, 4})
	binary.LittleEndian.PutUint32(b[8:], offset)
	binary.LittleEndian.PutUint32(b[12:], length)
}

// Function returns the device as a scan of its bus finds it, or nil if it is none.
func (m *Model) Function() *pci.Function {
	bus := pci.Scan(m, 0, pci.NewWindows([]mm.PhysRange{{Base: 0, Size: 1 << 30}}, 40),
		func(mm.Phys, uint64) (pci.Registers, error) { return pci.ModelRegisters(m, barBytes), nil })
	if len(bus.Functions) == 0 {
		return nil
	}
	return bus.Functions[0]
}

// at is where the device is on its bus.
var at = pci.Address{Device: 3}

// Read is a read of configuration space (pci.Access).
func (m *Model) Read(a pci.Address, offset, size int) (v uint32) {
	if a != at {
		return ^uint32(0) >> (32 - 8*size)
	}
	for i := range size {
		v |= uint32(m.Space[offset+i]) << (8 * i)
	}
	return v
}

// Write is a write to configuration space (pci.Access).
func (m *Model) Write(a pci.Address, offset, size int, v uint32) {
	if a != at {
		return
	}
	for i := range size {
		m.Space[offset+i] = byte(v >> (8 * i))
	}
	if offset == 0x20 && size == 4 { // BAR 4 is of barBytes bytes, 32 bits wide
		binary.LittleEndian.PutUint32(m.Space[offset:], v&^(barBytes-1))
	} else if offset >= 0x10 && offset < 0x28 {
		clear(m.Space[offset : offset+size])
	}
}

// Load is a read of a register (pci.Model).
func (m *Model) Load(offset, size uint64) uint64 {
	var b [8]byte
	copy(b[:size], m.Registers[offset:])
	v := binary.LittleEndian.Uint64(b[:])
	if m.OnLoad != nil {
		v = m.OnLoad(int(offset), v)
	}
	return v
}

// Store is a write of a register (pci.Model).
func (m *Model) Store(offset, size, v uint64) {
	copy(m.Registers[offset:offset+size], binary.LittleEndian.AppendUint64(nil, v))
	if m.OnStore != nil {
		m.OnStore(int(offset), v)
	}
}
