package fiber

import (
	"fmt"
	"sync"
	"sync/atomic"

	"nuos/mm"
)

// Regions whose fibers have ended, or are elsewhere, keep their pages for a while: the
// next fiber there needs them again, and giving them back and getting new ones costs
// more than starting or thawing it. The list of such regions is linked through their
// headers and bounded; the one that has waited longest goes first.
var freed struct {
	mu             sync.Mutex
	newest, oldest uintptr // addresses of Fibers
	n              int
}

// maxFreed is how many regions without a fiber may have pages in use.
const maxFreed = 64

// Free gives up the region of a fiber that has ended, for New or Thaw on this
// machine. Its pages are given back some time later, or by Trim.
func (f *Fiber) Free() {
	f.Spoil(f.arenaBase, f.arena)
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
		discardOldest()
	}
}

// Depart gives up the region of a detached fiber, of which an image was taken and
// which lives elsewhere from now on. It is otherwise like Free.
func (f *Fiber) Depart() {
	if f.carrier != 0 {
		panic("fiber: departure of an attached fiber")
	}
	f.Free()
}

// Trim gives back the pages of all regions that have been given up.
func Trim() {
	freed.mu.Lock()
	defer freed.mu.Unlock()
	for freed.n > 0 {
		discardOldest()
	}
}

// discardOldest needs the lock until it is done: a new fiber might be in the region.
func discardOldest() {
	f := at(freed.oldest)
	f.unlink()
	if err := mm.DiscardStack(f.Region()); err != nil {
		panic(err) // a region is a part of the area
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
