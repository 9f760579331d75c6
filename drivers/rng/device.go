//go:build metal

package rng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"nuos/drivers/pci"
	"nuos/mm"
)

// Identity of an entropy device on PCI: of version 1 only, and of one that speaks the old
// version too (4.1.2, 5.4).
const (
	pciVendor       = 0x1af4
	pciModern       = 0x1044
	pciTransitional = 0x1005
)

var errDevice = errors.New("rng: the device does not do what it should")

// Types of capabilities (4.1.4) and offsets in the common configuration (4.1.4.3).
const (
	capCommon = 1
	capNotify = 2

	commonDriverSelect = 0x08
	commonDriver       = 0x0c
	commonConfigVector = 0x10
	commonStatus       = 0x14
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

// Bits of the device status (2.1), and the one feature that is wanted (6): version 1.
const (
	statusAcknowledge = 1
	statusDriver      = 2
	statusDriverOK    = 4
	statusFeaturesOK  = 8

	featuresHigh = 1 << 0 // bit 32
)

// Where things lie in the page that is shared with the device: a queue (2.7) of one
// descriptor, and the bytes that it is for.
const (
	descAt  = 0x000
	availAt = 0x100
	usedAt  = 0x200
	bytesAt = 0x400
)

// registers finds the two blocks of registers that are used.
func registers(f *pci.Function) (common, notify pci.Registers, multiplier uint32, err error) {
	for _, c := range f.VendorCapabilities() {
		if len(c) < 16 || c[3] != capCommon && c[3] != capNotify {
			continue
		}
		bar, err := f.MapBAR(int(c[4]))
		if err != nil {
			return common, notify, 0, err
		}
		part, err := bar.Part(uint64(binary.LittleEndian.Uint32(c[8:])), uint64(binary.LittleEndian.Uint32(c[12:])))
		if err != nil {
			return common, notify, 0, err
		}
		switch {
		case c[3] == capCommon && common.Size == 0:
			common = part
		case c[3] == capNotify && notify.Size == 0 && len(c) >= 20:
			notify, multiplier = part, binary.LittleEndian.Uint32(c[16:])
		}
	}
	if common.Size < commonBytes || notify.Size < 2 {
		return common, notify, 0, fmt.Errorf("%w: no registers of version 1", errDevice)
	}
	return common, notify, multiplier, nil
}

// ask has the device fill b with random bytes and returns how many it wrote.
func ask(f *pci.Function, b []byte) (int, error) {
	f.Enable()
	defer f.Disable()
	common, notify, multiplier, err := registers(f)
	if err != nil {
		return 0, err
	}
	page, err := mm.AllocDMA(mm.PageSize)
	if err != nil {
		return 0, err
	}
	phys, _, _ := mm.Translate(page.Base)
	memory := mm.Bytes(page)
	reset := func() error {
		common.Write8(commonStatus, 0)
		return poll(func() bool { return common.Read8(commonStatus) == 0 })
	}
	// The page may only be used again when the device has forgotten it.
	defer func() {
		if reset() == nil {
			mm.FreeDMA(page)
		}
	}()
	if err := reset(); err != nil {
		return 0, err
	}
	common.Write8(commonStatus, statusAcknowledge)
	common.Write8(commonStatus, statusAcknowledge|statusDriver)
	common.Write32(commonDriverSelect, 0)
	common.Write32(commonDriver, 0)
	common.Write32(commonDriverSelect, 1)
	common.Write32(commonDriver, featuresHigh)
	common.Write8(commonStatus, statusAcknowledge|statusDriver|statusFeaturesOK)
	if common.Read8(commonStatus)&statusFeaturesOK == 0 {
		return 0, fmt.Errorf("%w: version 1 is refused", errDevice)
	}

	common.Write16(commonConfigVector, noVector)
	common.Write16(commonQueueSelect, 0)
	if common.Read16(commonQueueSize) == 0 {
		return 0, fmt.Errorf("%w: no queue", errDevice)
	}
	common.Write16(commonQueueSize, 1)
	common.Write16(commonQueueVector, noVector)
	for register, at := range map[uint64]uint64{commonQueueDesc: descAt, commonQueueDriver: availAt, commonQueueDevice: usedAt} {
		common.Write32(register, uint32(uint64(phys)+at))
		common.Write32(register+4, uint32((uint64(phys)+at)>>32))
	}
	bell := uint64(common.Read16(commonQueueNotify)) * uint64(multiplier)
	if bell%2 != 0 || bell > notify.Size-2 {
		return 0, fmt.Errorf("%w: its bell is outside of the registers", errDevice)
	}
	common.Write16(commonQueueEnable, 1)
	common.Write8(commonStatus, statusAcknowledge|statusDriver|statusFeaturesOK|statusDriverOK)

	// The descriptor (2.7.5): address, length, a flag that the device writes.
	size := uint32(min(len(b), mm.PageSize-bytesAt))
	binary.LittleEndian.PutUint64(memory[descAt:], uint64(phys)+bytesAt)
	binary.LittleEndian.PutUint32(memory[descAt+8:], size)
	binary.LittleEndian.PutUint16(memory[descAt+12:], 2)
	// Flags and index of a ring are one word here: no interrupt, one entry. Sound: both
	// words lie in the page, which does not move.
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&memory[availAt])), 1<<16|1)
	notify.Write16(bell, 0)
	used := (*uint32)(unsafe.Pointer(&memory[usedAt]))
	if err := poll(func() bool { return atomic.LoadUint32(used)>>16 == 1 }); err != nil {
		return 0, err
	}
	written := binary.LittleEndian.Uint32(memory[usedAt+8:])
	return copy(b, memory[bytesAt:bytesAt+min(written, size)]), nil
}

// poll waits until something is so, for a second at most.
func poll(so func() bool) error {
	const patience = time.Second
	for begin := time.Now(); !so(); {
		if time.Since(begin) > patience {
			return fmt.Errorf("%w: nothing within %v", errDevice, patience)
		}
		time.Sleep(20 * time.Microsecond)
	}
	return nil
}
