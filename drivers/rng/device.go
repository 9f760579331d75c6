package rng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"nuos/drivers/pci"
	"nuos/drivers/virtiopci"
	"nuos/mm"
)

var errDevice = errors.New("rng: the device does not do what it should")

// Where things lie in the page that is shared with the device: a queue (2.7) of one
// descriptor, and the bytes that it is for.
const (
	descAt  = 0x000
	availAt = 0x100
	usedAt  = 0x200
	bytesAt = 0x400
)

// The only queue of the device (5.4.2).
const requestQueue = 0

// ask has the device fill b with random bytes and returns how many it wrote. It is
// believed in nothing: a position or a length that it was not asked for is an error.
func ask(f *pci.Function, b []byte) (n int, err error) {
	device, err := virtiopci.Open(f)
	if err != nil {
		return 0, err
	}
	page, err := mm.AllocDMA(mm.PageSize)
	if err != nil {
		return 0, errors.Join(err, device.Close())
	}
	// The page may only be used again when the device has forgotten it.
	defer func() {
		if stuck := device.Close(); stuck != nil {
			n, err = 0, errors.Join(err, stuck)
			return
		}
		mm.FreeDMA(page)
	}()
	phys, _, _ := mm.Translate(page.Base)
	memory := mm.Bytes(page)

	if device.Offered()&virtiopci.Version1 == 0 {
		return 0, virtiopci.ErrLegacy
	}
	if err := device.Accept(virtiopci.Version1); err != nil {
		return 0, err
	}
	if device.QueueSize(requestQueue) == 0 {
		return 0, virtiopci.ErrQueue
	}
	bell, err := device.SetQueue(requestQueue, 1, phys+descAt, phys+availAt, phys+usedAt)
	if err != nil {
		return 0, err
	}
	if err := device.EnableQueue(requestQueue, virtiopci.NoVector); err != nil {
		return 0, err
	}
	device.Run()

	// The descriptor (2.7.5): address, length, a flag that the device writes.
	size := uint32(min(len(b), mm.PageSize-bytesAt))
	binary.LittleEndian.PutUint64(memory[descAt:], uint64(phys)+bytesAt)
	binary.LittleEndian.PutUint32(memory[descAt+8:], size)
	binary.LittleEndian.PutUint16(memory[descAt+12:], 2)
	// Sound: the words lie in the page, aligned, and the page does not move.
	word := func(at int) *uint32 { return (*uint32)(unsafe.Pointer(&memory[at])) }
	// Flags and index of a ring are one word here: no interrupt, one entry.
	atomic.StoreUint32(word(availAt), 1<<16|1)
	bell.Ring()
	if err := poll(func() bool { return atomic.LoadUint32(word(usedAt))>>16 != 0 }); err != nil {
		return 0, err
	}
	// Each word is read once: the device may change it after it has been checked.
	used, id, written := atomic.LoadUint32(word(usedAt))>>16, atomic.LoadUint32(word(usedAt+4)), atomic.LoadUint32(word(usedAt+8))
	if used != 1 || id != 0 || written == 0 || written > size {
		return 0, fmt.Errorf("%w: %d answers, the first to request %d of %d bytes", errDevice, used, id, written)
	}
	return copy(b, memory[bytesAt:bytesAt+written]), nil
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
