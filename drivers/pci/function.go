package pci

import (
	"fmt"

	"nuos/mm"
)

// Offsets in configuration space: PCI 6.1, Bridge 3.2.
const (
	regVendor      = 0x00
	regDevice      = 0x02
	regCommand     = 0x04
	regStatus      = 0x06
	regRevision    = 0x08 // and the class in the three bytes above
	regHeaderType  = 0x0e
	regBAR         = 0x10
	regSubVendor   = 0x2c
	regSubDevice   = 0x2e
	regCapPointer  = 0x34
	regPrimary     = 0x18 // bridges: primary, secondary, subordinate bus
	regSecondary   = 0x19
	regSubordinate = 0x1a
	regMemory      = 0x20 // bridges: base and limit of the memory window
	regPrefetch    = 0x24 // bridges: of the prefetchable window
	regPrefetchHi  = 0x28 // bridges: upper halves of base and limit

	commandIO     = 1 << 0
	commandMemory = 1 << 1
	commandMaster = 1 << 2
	commandNoINTx = 1 << 10

	statusCapabilities = 1 << 4

	headerMulti  = 0x80
	headerMask   = 0x7f
	headerNormal = 0
	headerBridge = 1
)

// Function is one function of a device. Its identity does not change; the
// methods that change the device are for one driver at a time.
type Function struct {
	Address
	Vendor, Device       uint16
	SubVendor, SubDevice uint16 // zero for bridges
	Class                uint32 // base class, subclass, interface: 0x020000 is Ethernet
	Revision             uint8
	BARs                 [6]BAR

	header uint8
	bus    *Bus
}

// String names f for people.
func (f *Function) String() string {
	return fmt.Sprintf("%v %04x:%04x", f.Address, f.Vendor, f.Device)
}

// Read reads size bytes, 1, 2 or 4, of f's configuration space.
func (f *Function) Read(offset, size int) uint32 { return f.bus.access.Read(f.Address, offset, size) }

// Write writes size bytes of f's configuration space.
func (f *Function) Write(offset, size int, v uint32) {
	f.bus.access.Write(f.Address, offset, size, v)
}

// Enable lets f answer to its memory BARs and read and write memory itself,
// and turns its interrupt pin off: interrupts are messages.
func (f *Function) Enable() {
	f.Write(regCommand, 2, f.Read(regCommand, 2)|commandMemory|commandMaster|commandNoINTx)
}

// Disable stops f from accessing memory. Its registers can still be used.
func (f *Function) Disable() {
	f.Write(regCommand, 2, f.Read(regCommand, 2)&^commandMaster)
}

// MapBAR makes the registers behind BAR i visible; the function must be
// enabled before they are used. Errors: ErrNoBAR, those of mm.MapDevice.
func (f *Function) MapBAR(i int) (Registers, error) {
	if i < 0 || i >= len(f.BARs) || f.BARs[i].IO || f.BARs[i].Size == 0 || f.BARs[i].Base == 0 {
		return Registers{}, fmt.Errorf("%w: %v BAR %d", ErrNoBAR, f, i)
	}
	bar := f.BARs[i]
	r, err := f.bus.mapDevice(bar.Base, bar.Size)
	if err != nil {
		return Registers{}, fmt.Errorf("pci: %v BAR %d: %w", f, i, err)
	}
	return r, nil
}

// MapFunc makes the size bytes of registers at a physical address visible.
type MapFunc func(p mm.Phys, size uint64) (Registers, error)
