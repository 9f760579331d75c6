package mm

import (
	"math/bits"
	"unsafe"
)

// The frame allocator: a buddy system over runs of 2^order frames, order 0 to
// 18 (4 KiB to 1 GiB), each aligned to its own size. What it knows about a
// frame stands in an array at the edge of the memory that it describes. Links
// are frame numbers, not pointers, so that no store needs a write barrier.

const (
	maxOrder   = 18 // of a run: 1 GiB
	largeOrder = 9  // 2 MiB
	maxSpans   = 32
)

// frames hands out physical memory. The zero value has none; see add.
type frames struct {
	// direct is the virtual address at which physical address 0 is, or would
	// be, seen. It changes once, when a machine leaves its boot page tables.
	direct Virt

	// startsDirty says that memory has unknown content when it is added.
	startsDirty bool

	spans     [maxSpans]span // fixed after add
	spanCount int

	ledger ledger

	mu    spinlock
	free  [maxOrder + 1]uint32   // first run of each order, any content
	stock [stockOrder + 1]uint32 // the same for runs known to be zero
	// stocked is the number of frames in stock.
	stocked uint64
}

// span is a stretch of frame numbers with an array of frame records. Frames in
// it that are not memory, or are somebody else's, stay in state unmanaged.
type span struct {
	first, end uint32
	records    Phys
}

// frame is the record of one frame. All but flipped is meaningful only for
// the first frame of a run.
type frame struct {
	next, prev uint32 // neighbours in a list of free runs; see also gather and tables
	state      frameState
	order      uint8
	owner      Owner
	// flipped is whether the frame's content is known to be zero, or not, in
	// contrast to what it was when added: all records can then start as zeros.
	flipped bool
}

type frameState uint8

const (
	unmanaged frameState = iota // not memory, reserved, or inside a run
	inFree                      // heads a run in a free list
	inStock                     // heads a run in a stock list
	inUse                       // heads a run that was handed out
)

const frameRecordSize = uint64(unsafe.Sizeof(frame{}))

func number(p Phys) uint32       { return uint32(p / PageSize) }
func address(n uint32) Phys      { return Phys(n) * PageSize }
func (f *frames) at(p Phys) Virt { return f.direct + Virt(p) }

// record returns what is known about frame n, nil if it is in no span.
//
//go:noinline
func (f *frames) record(n uint32) *frame {
	for i := range f.spans[:f.spanCount] {
		if s := &f.spans[i]; n >= s.first && n < s.end {
			return (*frame)(pointer(f.at(s.records) + Virt(uint64(n-s.first)*frameRecordSize)))
		}
	}
	return nil
}

// records returns the records of the frames of a run; a run lies in one span.
func (f *frames) records(n, count uint32) []frame { return unsafe.Slice(f.record(n), count) }

// alloc returns a zeroed run of 2^order frames, aligned to its size.
func (f *frames) alloc(order int, owner Owner) (Phys, bool) {
	p, ok := f.grab(order, owner)
	if ok {
		f.ready(number(p), 1<<order, true) // outside the lock: the run is ours
	}
	return p, ok
}

// allocPages returns count frames in a row, each to be released alone. Unless they are
// to be zeroed anything may be in them.
func (f *frames) allocPages(count uint32, owner Owner, zeroed bool) (Phys, bool) {
	p, ok := f.grab(orderOf(uint64(count)*PageSize), owner)
	if ok {
		f.trim(p, count)
		f.ready(number(p), count, zeroed)
	}
	return p, ok
}

// grab takes a run out of the lists for its owner.
func (f *frames) grab(order int, owner Owner) (Phys, bool) {
	interrupts := f.mu.lock()
	n := uint32(0)
	if f.ledger.count[Free].Load() >= 1<<order { // hosted, the lists may hold more than is free
		n = f.take(order)
		if n == 0 {
			// What is stocked may be the missing half of a larger run.
			f.drainStock()
			n = f.take(order)
		}
	}
	if n != 0 {
		r := f.record(n)
		r.state, r.order, r.owner = inUse, uint8(order), owner
		f.ledger.move(Free, owner, 1<<order)
	}
	f.mu.unlock(interrupts)
	return address(n), n != 0
}

// hasRun reports whether a run of the order is free as it is, without joining what was
// zeroed ahead of time.
func (f *frames) hasRun(order int) bool {
	interrupts := f.mu.lock()
	found := false
	for _, first := range f.free[order:] {
		found = found || first != 0
	}
	f.mu.unlock(interrupts)
	return found
}

// release gives back a run that alloc returned, whole. Its address must not be
// in any translation that a processor may still hold.
func (f *frames) release(p Phys, owner Owner) {
	n := number(p)
	interrupts := f.mu.lock()
	r := f.record(n)
	if p%PageSize != 0 || r == nil || r.state != inUse {
		fatal("mm: frame freed that is not in use", uint64(p))
	}
	if r.owner != owner {
		fatal("mm: frame freed by another owner", uint64(p))
	}
	f.ledger.move(owner, Free, 1<<r.order)
	f.put(n, int(r.order))
	f.mu.unlock(interrupts)
}

// split turns a run in use into runs of one frame, each to be released alone.
func (f *frames) split(p Phys) { f.trim(p, 1<<maxOrder) }

// trim is split for a run of which no more than the first frames are wanted. The others
// are free again.
func (f *frames) trim(p Phys, wanted uint32) {
	n := number(p)
	interrupts := f.mu.lock()
	head := f.record(n)
	if head == nil || head.state != inUse {
		fatal("mm: split of a run that is not in use", uint64(p))
	}
	owner, count := head.owner, uint32(1)<<head.order
	wanted = min(wanted, count)
	records := f.records(n, wanted)
	for i := range records {
		r := &records[i]
		r.state, r.order, r.owner = inUse, 0, owner
	}
	f.ledger.move(owner, Free, uint64(count-wanted))
	for i := wanted; i < count; {
		order := bits.TrailingZeros32(i) // the run is aligned to its size, so this one is
		f.put(n+i, order)
		i += 1 << order
	}
	f.mu.unlock(interrupts)
}

// ownerOf returns who holds the run that begins at p and its order.
func (f *frames) ownerOf(p Phys) (owner Owner, order int, ok bool) {
	interrupts := f.mu.lock()
	if r := f.record(number(p)); p%PageSize == 0 && r != nil && r.state == inUse {
		owner, order, ok = r.owner, int(r.order), true
	}
	f.mu.unlock(interrupts)
	return owner, order, ok
}

// take removes a run of the order from the lists, splitting a larger one. It
// prefers frames that are zero already. It returns 0 if there is none.
// Precondition: mu is held.
func (f *frames) take(order int) uint32 {
	for k := order; k <= stockOrder; k++ {
		if n := f.stock[k]; n != 0 {
			f.unlink(&f.stock[k], n)
			f.stocked -= 1 << order
			for ; k > order; k-- {
				f.link(&f.stock[k-1], n+1<<(k-1), inStock, k-1)
			}
			return n
		}
	}
	for k := order; k <= maxOrder; k++ {
		if n := f.free[k]; n != 0 {
			f.unlink(&f.free[k], n)
			for ; k > order; k-- {
				f.link(&f.free[k-1], n+1<<(k-1), inFree, k-1)
			}
			return n
		}
	}
	return 0
}

// put adds a run to the free lists and merges it with its free neighbours.
// Precondition: mu is held.
func (f *frames) put(n uint32, order int) {
	f.record(n).state = unmanaged
	for ; order < maxOrder; order++ {
		buddy := n ^ 1<<order
		r := f.record(buddy)
		if r == nil || r.state != inFree || int(r.order) != order {
			break
		}
		f.unlink(&f.free[order], buddy)
		n &= buddy
	}
	f.link(&f.free[order], n, inFree, order)
}

// link makes n the head of a run at the front of a list, where the memory that
// was used last, and may still be cached, is taken first.
func (f *frames) link(list *uint32, n uint32, state frameState, order int) {
	r := f.record(n)
	*r = frame{next: *list, state: state, order: uint8(order), flipped: r.flipped}
	if *list != 0 {
		f.record(*list).prev = n
	}
	*list = n
}

func (f *frames) unlink(list *uint32, n uint32) {
	r := f.record(n)
	if r.prev == 0 {
		*list = r.next
	} else {
		f.record(r.prev).next = r.next
	}
	if r.next != 0 {
		f.record(r.next).prev = r.prev
	}
	r.next, r.prev, r.state = 0, 0, unmanaged
}
