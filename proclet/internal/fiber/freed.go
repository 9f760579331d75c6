package fiber

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"nuos/mm"
)

// Regions whose fibers have ended, or are elsewhere, keep their pages for a while: the
// next fiber there needs them again, and giving them back and getting new ones costs
// more than starting or thawing it. The list of such regions is linked through their
// headers; the one that has waited longest goes first. When there are many, a
// goroutine of its own makes them few, because to give pages back takes as long as
// a fiber needs to leave, several times over.
var freed struct {
	mu             sync.Mutex
	newest, oldest uintptr // addresses of Fibers
	n              int
	trimming       bool // it is under way, or will be

	// The fiber whose region's pages are being given back, without the lock. It is in
	// no list, and nobody may take it.
	discarding uintptr
	discarded  *sync.Cond // there is none any more
}

func init() { freed.discarded = sync.NewCond(&freed.mu) }

const (
	// maxFreed is how many regions without a fiber may have pages in use for long.
	maxFreed = 64
	// trimAfter is how long more of them may.
	trimAfter = 100 * time.Millisecond
)

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
	if freed.n > maxFreed && !freed.trimming {
		freed.trimming = true
		time.AfterFunc(trimAfter, func() { trim(maxFreed) })
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
func Trim() { trim(0) }

// trim gives back pages of regions until that many have some.
func trim(keep int) {
	freed.mu.Lock()
	defer freed.mu.Unlock()
	for freed.discarding != 0 || freed.n > keep {
		if freed.discarding != 0 { // somebody else is at it
			freed.discarded.Wait()
		} else {
			discardOldest()
		}
	}
	freed.trimming = false
}

// discardOldest gives the lock back while it is at it.
func discardOldest() {
	f := at(freed.oldest)
	f.unlink()
	freed.discarding = f.address()
	freed.mu.Unlock()
	err := mm.DiscardStack(f.Region())
	freed.mu.Lock()
	if err != nil {
		panic(err) // a region is a part of the area
	}
	freed.discarding = 0
	freed.discarded.Broadcast()
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
	for freed.discarding == f.address() {
		freed.discarded.Wait()
	}
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
