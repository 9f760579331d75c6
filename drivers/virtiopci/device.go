package virtiopci

import (
	"fmt"
	"time"

	"nuos/drivers/pci"
	"nuos/mm"
)

// Version1 is the feature bit of version 1 (6), without which nothing here holds.
const Version1 = 1 << 32

// NoVector is the interrupt of a queue that makes none (4.1.4.3).
const NoVector = 0xffff

// Kind is what a virtio device is for (5).
type Kind uint16

const (
	Network Kind = 1
	Entropy Kind = 4
)

// Identity on PCI (4.1.2): a device of version 1 only has its kind in its number, one that
// speaks the old version too has a number out of a list.
const (
	vendor      = 0x1af4
	firstModern = 0x1040
)

var transitional = map[Kind]uint16{Network: 0x1000, Entropy: 0x1005}

// Is reports whether a PCI function is a virtio device of this kind.
func Is(f *pci.Function, k Kind) bool {
	return f.Vendor == vendor && (f.Device == firstModern+uint16(k) || f.Device == transitional[k])
}

// Device is a virtio device as its registers show it (4.1.4).
type Device struct {
	fn *pci.Function

	common     pci.Registers
	device     pci.Registers
	notify     pci.Registers
	multiplier uint32
}

// Open enables f, resets the device and tells it that it has a driver. Errors: ErrLegacy,
// ErrDevice, those of pci.Function.MapBAR; f is disabled again then.
func Open(f *pci.Function) (*Device, error) {
	d := &Device{fn: f}
	f.Enable()
	err := d.findRegisters()
	if err == nil {
		err = d.reset()
	}
	if err != nil {
		f.Disable()
		return nil, err
	}
	d.setStatus(statusAcknowledge)
	d.setStatus(statusDriver)
	return d, nil
}

func (d *Device) setStatus(bits uint8) {
	d.common.Write8(commonStatus, d.common.Read8(commonStatus)|bits)
}

// reset stops the device and waits until it has (4.1.4.3.2).
func (d *Device) reset() error {
	const patience = time.Second
	d.common.Write8(commonStatus, 0)
	for begin := time.Now(); d.common.Read8(commonStatus) != 0; time.Sleep(20 * time.Microsecond) {
		if time.Since(begin) > patience {
			return fmt.Errorf("%w: no reset within %v", ErrDevice, patience)
		}
	}
	return nil
}

// Offered returns the device's feature bits.
func (d *Device) Offered() uint64 {
	var f uint64
	for half := range 2 {
		d.common.Write32(commonDeviceSelect, uint32(half))
		f |= uint64(d.common.Read32(commonDevice)) << (32 * half)
	}
	return f
}

// Accept tells the device which features are used. Errors: ErrRefused.
func (d *Device) Accept(features uint64) error {
	for half := range 2 {
		d.common.Write32(commonDriverSelect, uint32(half))
		d.common.Write32(commonDriver, uint32(features>>(32*half)))
	}
	d.setStatus(statusFeaturesOK)
	if d.common.Read8(commonStatus)&statusFeaturesOK == 0 {
		return fmt.Errorf("%w: %#x", ErrRefused, features)
	}
	return nil
}

// ReadConfig reads the device's configuration into b until it did not change meanwhile
// (2.5.1). What a short one does not reach is zero. Errors: ErrDevice.
func (d *Device) ReadConfig(b []byte) error {
	for range 100 {
		before := d.common.Read8(commonGeneration)
		clear(b)
		for i := range min(uint64(len(b)), d.device.Size) {
			b[i] = d.device.Read8(i)
		}
		if d.common.Read8(commonGeneration) == before {
			return nil
		}
	}
	return fmt.Errorf("%w: its configuration never settles", ErrDevice)
}

// QueueSize returns the most entries of queue i, 0 if there is no such queue.
func (d *Device) QueueSize(i int) int {
	d.common.Write16(commonQueueSelect, uint16(i))
	return int(d.common.Read16(commonQueueSize))
}

// SetQueue tells the device where the three parts of queue i are (2.6), and returns its bell.
// size is at most QueueSize(i). Errors: ErrQueue.
func (d *Device) SetQueue(i int, size uint16, descriptors, available, used mm.Phys) (Bell, error) {
	d.common.Write16(commonQueueSelect, uint16(i))
	d.common.Write16(commonQueueSize, size)
	d.write64(commonQueueDesc, uint64(descriptors))
	d.write64(commonQueueDriver, uint64(available))
	d.write64(commonQueueDevice, uint64(used))
	at := uint64(d.common.Read16(commonQueueNotify)) * uint64(d.multiplier)
	if at%2 != 0 || at > d.notify.Size-2 {
		return Bell{}, fmt.Errorf("%w: queue %d has its bell outside of the registers", ErrQueue, i)
	}
	return Bell{d.notify, at, uint16(i)}, nil
}

// write64 writes a 64-bit field the way 4.1.3.1 wants it, in halves.
func (d *Device) write64(offset, v uint64) {
	d.common.Write32(offset, uint32(v))
	d.common.Write32(offset+4, uint32(v>>32))
}

// EnableQueue lets queue i run, with an interrupt of the function's MSI-X table or NoVector.
// Errors: ErrQueue if the device cannot serve the vector (4.1.5.1.2).
func (d *Device) EnableQueue(i int, vector uint16) error {
	d.common.Write16(commonQueueSelect, uint16(i))
	d.common.Write16(commonQueueVector, vector)
	if d.common.Read16(commonQueueVector) != vector {
		return fmt.Errorf("%w: queue %d cannot have an interrupt", ErrQueue, i)
	}
	d.common.Write16(commonQueueEnable, 1)
	return nil
}

// Run lets the device work. There is no interrupt for a change of its configuration.
func (d *Device) Run() {
	d.common.Write16(commonConfigVector, NoVector)
	d.setStatus(statusDriverOK)
}

// Close stops the device and takes it off the bus. Errors: ErrDevice if it does not stop.
func (d *Device) Close() error {
	err := d.reset()
	d.fn.Disable()
	return err
}

// Bell is what tells the device that a queue has new entries (4.1.5.2).
type Bell struct {
	registers pci.Registers
	at        uint64
	queue     uint16
}

// Ring neither allocates nor waits.
func (b *Bell) Ring() { b.registers.Write16(b.at, b.queue) }
