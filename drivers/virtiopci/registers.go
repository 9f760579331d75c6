package virtiopci

import (
	"encoding/binary"
	"fmt"

	"nuos/drivers/pci"
)

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
)

// Bits of the device status (2.1).
const (
	statusAcknowledge = 1
	statusDriver      = 2
	statusDriverOK    = 4
	statusFeaturesOK  = 8
)

// findRegisters maps the three blocks of registers.
func (d *Device) findRegisters() error {
	for _, c := range d.fn.VendorCapabilities() {
		if len(c) < 16 {
			continue
		}
		// struct virtio_pci_cap: vndr, next, len, cfg_type, bar, id, 2
		// bytes, offset, length; then notify_off_multiplier. The first
		// capability of each type counts.
		var to *pci.Registers
		switch c[3] {
		case capCommon:
			to = &d.common
		case capNotify:
			to = &d.notify
		case capDevice:
			to = &d.device
		}
		if to == nil || to.Size != 0 {
			continue
		}
		bar, err := d.fn.MapBAR(int(c[4]))
		if err != nil {
			return err
		}
		offset, length := binary.LittleEndian.Uint32(c[8:]), binary.LittleEndian.Uint32(c[12:])
		if *to, err = bar.Part(uint64(offset), uint64(length)); err != nil {
			return err
		}
		if c[3] == capNotify && len(c) >= 20 {
			d.multiplier = binary.LittleEndian.Uint32(c[16:])
		}
	}
	if d.common.Size < commonBytes || d.notify.Size < 2 {
		return fmt.Errorf("%w: no registers of version 1", ErrLegacy)
	}
	return nil
}
