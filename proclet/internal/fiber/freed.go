package fiber

import (
	"fmt"
	"sync"
	"sync/atomic"

	"nuos/mm"
)

// Regions whose fibers have ended keep their pages for a while: the next fiber
// needs them again, and giving them back costs more than starting it. The list of
// such regions is linked through their headers and bounded; the one that has waited
// longest goes first.
var freed struct {
	mu             sync.Mutex
	newest, oldest uintptr // addresses of Fibers
	n              int
}

// maxFreed is how many regions without a fiber may have pages in use.
const maxFreed = 64

// Free gives up the region of a fiber that has ended, for New or Thaw on this
// machine.
func (f *Fiber) Free() {
	freed.mu.Lock()
	defer freed.mu.Unlock()
	f.magic = free
	f.older, f.newer = freed.newest, 0
	if f.older != 0 {
		at(f.older).newer = f.address()
	} else {
		freed.oldest = f.address()
	}
	freed.newest = f.address()
	freed.n++
	if freed.n > maxFreed {
		last := at(freed.oldest)
		last.unlink()
		discard(last.Region()) // with the lock held, or a new fiber might be in it
	}
}

// unlink takes f out of the list. The lock is held.
func (f *Fiber) unlink() {
	if f.newer != 0 {
		at(f.newer).older = f.older
	} else {
		freed.newest = f.older
	}
	if f.older != 0 {
		at(f.older).newer = f.newer
	} else {
		freed.oldest = f.newer
	}
	freed.n--
	f.magic = 0
}

// take makes f's region that of a fiber.
func (f *Fiber) take() error {
	freed.mu.Lock()
	defer freed.mu.Unlock()
	// Reading it with a write spares a page fault: the page is going to be written.
	switch atomic.AddUint64(&f.magic, 0) {
	case free:
		f.unlink()
	case inUse:
		return fmt.Errorf("%w: %#x", ErrOccupied, uint64(f.Region().Base))
	}
	f.magic = inUse
	return nil
}

// Depart gives up the region of a detached fiber, of which an image was taken and
// which lives elsewhere from now on. All of its pages are given back.
func (f *Fiber) Depart() { discard(f.Region()) }

func discard(r mm.Range) {
	if err := mm.DiscardStack(r); err != nil {
		panic(err) // r is a part of a region
	}
}
