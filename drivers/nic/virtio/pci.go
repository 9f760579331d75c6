package virtio

import (
	"encoding/binary"
	"fmt"
	"time"

	"nuos/drivers/pci"
)

// Identity of a network device on PCI: of version 1 only, and of one that
// speaks the old version too (4.1.2).
const (
	pciVendor          = 0x1af4
	pciModern          = 0x1041
	pciTransitionalNet = 0x1000
)

// IsNet reports whether a PCI function is a virtio network device.
func IsNet(f *pci.Function) bool {
	return f.Vendor == pciVendor && (f.Device == pciModern || f.Device == pciTransitionalNet)
}

// interrupts is what the transport needs of the kernel.
type interrupts struct {
	// alloc returns the message that makes an eventfd readable.
	alloc func(eventfd int) (address uint64, data uint32, err error)
	// watch has idle processors make it readable as soon as word changes;
	// unwatch ends that.
	watch   func(word *uint16, eventfd int) error
	unwatch func(word *uint16)
}

// pciTransport reaches a device through its registers (4.1.4).
type pciTransport struct {
	fn         *pci.Function
	interrupts interrupts

	common    pci.Registers
	device    pci.Registers
	notify    pci.Registers
	notifyMul uint32
	msix      *pci.MSIX

	queues   [2]*queue
	notifyAt [2]uint64 // offset of a queue's bell in notify
	watched  *uint16
}

// Types of the capabilities that say where registers are (4.1.4).
const (
	capCommon = 1
	capNotify = 2
	capDevice = 4
)

// Offsets in the common configuration (4.1.4.3).
const (
	commonDeviceSelect = 0x00
	commonDevice       = 0x04
	commonDriverSelect = 0x08
	commonDriver       = 0x0c
	commonConfigVector = 0x10
	commonStatus       = 0x14
	commonGeneration   = 0x15
	commonQueueSelect  = 0x16
	commonQueueSize    = 0x18
	commonQueueVector  = 0x1a
	commonQueueEnable  = 0x1c
	commonQueueNotify  = 0x1e
	commonQueueDesc    = 0x20
	commonQueueDriver  = 0x28
	commonQueueDevice  = 0x30
	commonBytes        = 0x38

	noVector = 0xffff
)

// Bits of the device status (2.1).
const (
	statusAcknowledge = 1
	statusDriver      = 2
	statusDriverOK    = 4
	statusFeaturesOK  = 8
)

// findRegisters maps the three blocks of registers. Nothing is enabled yet.
func (t *pciTransport) findRegisters() error {
	for _, c := range t.fn.VendorCapabilities() {
		if len(c) < 16 {
			continue
		}
		// struct virtio_pci_cap: vndr, next, len, cfg_type, bar, id, 2
		// bytes, offset, length; then notify_off_multiplier. The first
		// capability of each type counts.
		var to *pci.Registers
		switch c[3] {
		case capCommon:
			to = &t.common
		case capNotify:
			to = &t.notify
		case capDevice:
			to = &t.device
		}
		if to == nil || to.Size != 0 {
			continue
		}
		bar, err := t.fn.MapBAR(int(c[4]))
		if err != nil {
			return err
		}
		offset, length := binary.LittleEndian.Uint32(c[8:]), binary.LittleEndian.Uint32(c[12:])
		if *to, err = bar.Part(uint64(offset), uint64(length)); err != nil {
			return err
		}
		if c[3] == capNotify && len(c) >= 20 {
			t.notifyMul = binary.LittleEndian.Uint32(c[16:])
		}
	}
	if t.common.Size < commonBytes || t.notify.Size < 2 {
		return fmt.Errorf("%w: no registers of version 1", ErrLegacy)
	}
	return nil
}

func (t *pciTransport) name() string { return fmt.Sprintf("virtio-net %v", t.fn.Address) }

func (t *pciTransport) setStatus(bits uint8) {
	t.common.Write8(commonStatus, t.common.Read8(commonStatus)|bits)
}

// reset stops the device and waits until it has (4.1.4.3.2).
func (t *pciTransport) reset() error {
	const patience = 2 * time.Second
	t.common.Write8(commonStatus, 0)
	for begin := time.Now(); t.common.Read8(commonStatus) != 0; {
		if time.Since(begin) > patience {
			return fmt.Errorf("%w: no reset within %v", ErrDevice, patience)
		}
	}
	return nil
}

func (t *pciTransport) offered() (uint64, error) {
	t.fn.Enable()
	if err := t.findRegisters(); err != nil {
		return 0, err
	}
	if err := t.reset(); err != nil {
		return 0, err
	}
	t.setStatus(statusAcknowledge)
	t.setStatus(statusDriver)
	var f uint64
	for half := range 2 {
		t.common.Write32(commonDeviceSelect, uint32(half))
		f |= uint64(t.common.Read32(commonDevice)) << (32 * half)
	}
	return f, nil
}

func (t *pciTransport) accept(features uint64) error {
	for half := range 2 {
		t.common.Write32(commonDriverSelect, uint32(half))
		t.common.Write32(commonDriver, uint32(features>>(32*half)))
	}
	t.setStatus(statusFeaturesOK)
	if t.common.Read8(commonStatus)&statusFeaturesOK == 0 {
		return fmt.Errorf("%w: %#x", ErrRefused, features)
	}
	return nil
}

// config reads the device configuration until it did not change meanwhile
// (2.5.1). What a short one does not reach is zero.
func (t *pciTransport) config() (config, error) {
	for range 100 {
		before := t.common.Read8(commonGeneration)
		var b [configSize]byte
		for i := range min(uint64(len(b)), t.device.Size) {
			b[i] = t.device.Read8(i)
		}
		if t.common.Read8(commonGeneration) == before {
			return readConfig(b[:]), nil
		}
	}
	return config{}, fmt.Errorf("%w: its configuration never settles", ErrDevice)
}

func (t *pciTransport) limit(i int) int {
	t.common.Write16(commonQueueSelect, uint16(i))
	return int(t.common.Read16(commonQueueSize))
}

func (t *pciTransport) attach(i int, q *queue) error {
	t.common.Write16(commonQueueSelect, uint16(i))
	t.common.Write16(commonQueueSize, q.size)
	t.write64(commonQueueDesc, uint64(q.mem.phys))
	t.write64(commonQueueDriver, uint64(q.mem.phys)+availOffset(q.size))
	t.write64(commonQueueDevice, uint64(q.mem.phys)+usedOffset(q.size))
	t.queues[i] = q
	t.notifyAt[i] = uint64(t.common.Read16(commonQueueNotify)) * uint64(t.notifyMul)
	if t.notifyAt[i]%2 != 0 || t.notifyAt[i] > t.notify.Size-2 {
		return fmt.Errorf("%w: queue %d has its bell outside of the registers", ErrQueue, i)
	}
	return nil
}

// write64 writes a 64-bit field the way 4.1.3.1 wants it, in halves.
func (t *pciTransport) write64(offset, v uint64) {
	t.common.Write32(offset, uint32(v))
	t.common.Write32(offset+4, uint32(v>>32))
}

func (t *pciTransport) start(event int) error {
	var err error
	if t.msix, err = t.fn.OpenMSIX(); err != nil {
		return err
	}
	address, data, err := t.interrupts.alloc(event)
	if err != nil {
		return err
	}
	if err := t.msix.Set(0, address, data); err != nil {
		return err
	}
	t.common.Write16(commonConfigVector, noVector)
	for i := range t.queues {
		vector := uint16(noVector)
		if i == receiveQueue {
			vector = 0
		}
		t.common.Write16(commonQueueSelect, uint16(i))
		t.common.Write16(commonQueueVector, vector)
		// A device that cannot serve the vector says so here (4.1.5.1.2).
		if t.common.Read16(commonQueueVector) != vector {
			return fmt.Errorf("%w: queue %d cannot have an interrupt", ErrQueue, i)
		}
		t.common.Write16(commonQueueEnable, 1)
	}
	word := t.queues[receiveQueue].usedIndex()
	if err := t.interrupts.watch(word, event); err != nil {
		return err
	}
	t.watched = word
	t.setStatus(statusDriverOK)
	return nil
}

func (t *pciTransport) kick(i int) { t.notify.Write16(t.notifyAt[i], uint16(i)) }

func (t *pciTransport) close() error {
	var err error
	if t.common.Size >= commonBytes {
		err = t.reset()
	}
	if t.msix != nil {
		t.msix.Close()
	}
	if t.watched != nil {
		t.interrupts.unwatch(t.watched)
		t.watched = nil
	}
	t.fn.Disable()
	return err
}
