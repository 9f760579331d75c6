package rack

import (
	"fmt"
	"math/bits"
	"sync"

	"nuos/mm"
)

// Addresses for heaps. The directory leases large parts of the heap area to
// incarnations; each divides its own into blocks whose size is a power of two,
// so that a new heap costs no message.

// heapLeases is what this incarnation has of the heap area.
type heapLeases struct {
	asking turn // to ask the directory

	mu     sync.Mutex
	leases []lease
	rest   mm.Range                 // of the newest lease, not divided yet
	free   [bits.UintSize][]mm.Virt // free blocks of 1<<i bytes
}

// LeaseHeap returns addresses for a heap of up to capacity bytes: a block
// whose size is the next power of two, aligned to it, that no other machine
// will use and no other heap of this one, until ReturnHeap. Nothing is mapped.
//
// The directory is asked only when the blocks of the last lease are used up;
// if there is none, LeaseHeap fails with ErrNoDirectory in a bounded time.
func (r *Rack) LeaseHeap(capacity uint64) (mm.Range, error) {
	if capacity == 0 || capacity > mm.HeapArea.Size/4 {
		return mm.Range{}, fmt.Errorf("%w: a heap of %d bytes", ErrNoAddresses, capacity)
	}
	class := max(bits.Len64(capacity-1), bits.Len64(mm.PageSize-1))
	h := &r.heaps
	for {
		if base, ok := h.take(class); ok {
			return mm.Range{Base: base, Size: 1 << class}, nil
		}
		if err := r.leaseMore(class); err != nil {
			return mm.Range{}, err
		}
	}
}

// ReturnHeap gives back a block that nothing uses any more, on any machine.
// Whichever machine leased it, it is this one's now.
func (r *Rack) ReturnHeap(block mm.Range) {
	r.heaps.put(block)
}

// stackShift is how far a thread's stack lies above the block of heap addresses
// that was leased for it and stays unused.
var stackShift = mm.StackArea.Base - mm.HeapArea.Base

// LeaseStack returns addresses for a thread's stack: size bytes, a power of two,
// aligned to it, of mm.StackArea, that nobody in the rack will use until
// ReturnStack. They come out of the leases of LeaseHeap, and so do its errors.
func (r *Rack) LeaseStack(size uint64) (mm.Range, error) {
	block, err := r.LeaseHeap(size)
	block.Base += stackShift
	return block, err
}

// ReturnStack gives back what LeaseStack returned, on this machine or on another
// one. Nothing uses it any more.
func (r *Rack) ReturnStack(stack mm.Range) {
	stack.Base -= stackShift
	r.ReturnHeap(stack)
}

func (h *heapLeases) put(block mm.Range) {
	if block.Size == 0 || block.Size&(block.Size-1) != 0 {
		return // never a block of ours
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	class := bits.TrailingZeros64(block.Size)
	h.free[class] = append(h.free[class], block.Base)
}

// take returns a free block, or cuts one off the rest of the newest lease.
func (h *heapLeases) take(class int) (mm.Virt, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.free[class]); n > 0 {
		base := h.free[class][n-1]
		h.free[class] = h.free[class][:n-1]
		return base, true
	}
	size := mm.Virt(1) << class
	at := (h.rest.Base + size - 1) &^ (size - 1)
	if h.rest.Size == 0 || at+size > h.rest.End() {
		return 0, false
	}
	h.shelve(h.rest.Base, at) // what alignment skips
	h.rest = mm.Range{Base: at + size, Size: uint64(h.rest.End() - at - size)}
	return at, true
}

// shelve cuts [from, to) into free blocks, as large as their addresses allow.
// Called with mu held.
func (h *heapLeases) shelve(from, to mm.Virt) {
	for from < to {
		class := min(bits.TrailingZeros64(uint64(from)), bits.Len64(uint64(to-from))-1)
		h.free[class] = append(h.free[class], from)
		from += 1 << class
	}
}

// leaseMore gets addresses from the directory, in which a block fits.
func (r *Rack) leaseMore(class int) error {
	h := &r.heaps
	if err := h.asking.take(r.ctx); err != nil {
		return err
	}
	defer h.asking.pass()
	if base, ok := h.take(class); ok { // somebody else has asked meanwhile
		h.put(mm.Range{Base: base, Size: 1 << class})
		return nil
	}
	size := uint64(leaseUnit)
	if class > 26 {
		size = max(size, 1<<class)
	}
	a, err := r.askDirectory(r.ctx, &directoryMessage{Op: opLease, Size: size})
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rest.Size > 0 {
		h.shelve(h.rest.Base, h.rest.End())
	}
	h.rest = a.Lease.Range
	h.leases = append(h.leases, a.Lease)
	return nil
}
