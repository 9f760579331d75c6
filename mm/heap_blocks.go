package mm

import (
	"math/bits"
	"unsafe"
)

// The allocator of a heap is two-level segregated fit (Masmano et al., "TLSF: a
// new dynamic memory allocator for real-time systems", 2004): every operation
// takes bounded time, neighbouring free blocks are always merged, and a block
// of memory needs nothing but a word in front of it, so one mechanism serves
// objects of every size.
//
// Addresses are offsets from the start of the heap. A block is named by the
// offset p of its payload, a multiple of 16:
//
//	p-16  size of the block before, if that is free (the last word of its payload)
//	p-8   size of this block, a multiple of 16, and flags
//	p     payload, up to p+size-8; in a free block, its links and its hole
//
// Memory from top on has never been used, or not since everything there was
// freed; a free block never ends at top but becomes part of it.
type blocks struct {
	top   uint64 // offset of the payload that comes after the last block
	limit uint64 // end of what ordinary allocations may use

	first  uint32          // bit i: some list of lists[i] is not empty
	second [classes]uint16 // bit j: lists[i][j] is not empty
	lists  [classes][16]ref
}

// ref is an offset divided by blockAlign; 0 is none.
type ref uint32

const (
	blockAlign = 16
	headerSize = 8
	freeHeader = 16 // links and hole of a free block
	minBlock   = 32 // the same, and its footer

	flagFree     = 1 // this block is free
	flagPrevFree = 2 // the block before it is free
	flagHole     = 4 // pages inside this free block have no frames
	flags        = flagFree | flagPrevFree | flagHole

	linear  = 256 // blocks below this size have lists of their own size
	classes = 30  // lists[0] is for those, lists[i] for sizes from 128<<i
)

// firstBlock is the offset of the first payload.
const firstBlock = (uint64(unsafe.Sizeof(Heap{})) + headerSize + blockAlign - 1) &^ (blockAlign - 1)

// blockLimit returns where ordinary allocations end in a heap of this capacity.
// The rest is for AllocReserved.
func blockLimit(capacity uint64) uint64 { return capacity - min(capacity/32, 64<<10) }

func (b *blocks) init(capacity uint64) {
	b.top = firstBlock
	b.limit = blockLimit(capacity)
}

func (h *Heap) word(off uint64) *uint64    { return (*uint64)(unsafe.Add(unsafe.Pointer(h), off)) }
func (h *Heap) header(p uint64) *uint64    { return h.word(p - headerSize) }
func (h *Heap) size(p uint64) uint64       { return *h.header(p) &^ flags }
func (h *Heap) prevSize(p uint64) *uint64  { return h.word(p - 2*headerSize) }
func (h *Heap) nextFree(p uint64) *ref     { return (*ref)(unsafe.Add(unsafe.Pointer(h), p)) }
func (h *Heap) prevInList(p uint64) *ref   { return (*ref)(unsafe.Add(unsafe.Pointer(h), p+4)) }
func (h *Heap) holeWord(p uint64) *pageRun { return (*pageRun)(unsafe.Add(unsafe.Pointer(h), p+8)) }
func (r ref) offset() uint64               { return uint64(r) * blockAlign }
func refTo(p uint64) ref                   { return ref(p / blockAlign) }

// listOf returns the list in which a free block of this size is kept.
func listOf(size uint64) (i, j int) {
	if size < linear {
		return 0, int(size / blockAlign)
	}
	lg := bits.Len64(size) - 1
	return lg - 7, int(size>>(lg-4)) & 15
}

// take finds a free block of at least size that ends, once cut to size, at or
// before limit, and removes it from its list. It returns 0 if there is none.
func (h *Heap) take(size, limit uint64) uint64 {
	// Any block will do in the lists above the one that size belongs to; and in
	// that one too if it holds one size only.
	i, j := listOf(size)
	from := j
	if size >= linear {
		from++
	}
	above := uint16(0)
	if from < 16 {
		above = h.second[i] >> from << from
	}
	for k := i; ; {
		for ; above != 0; above &= above - 1 {
			for r := h.lists[k][bits.TrailingZeros16(above)]; r != 0; r = *h.nextFree(r.offset()) {
				if p := r.offset(); p+size-headerSize <= limit {
					h.unlink(p)
					return p
				}
			}
		}
		rest := h.first >> (k + 1) << (k + 1)
		if rest == 0 {
			break
		}
		k = bits.TrailingZeros32(rest)
		above = h.second[k]
	}
	// Last, blocks of about this size, some of which may be large enough.
	if size >= linear {
		for r := h.lists[i][j]; r != 0; r = *h.nextFree(r.offset()) {
			if p := r.offset(); h.size(p) >= size && p+size-headerSize <= limit {
				h.unlink(p)
				return p
			}
		}
	}
	return 0
}

// link puts the free block p into its list and writes its header and footer.
// Whoever took it out has taken its hole out of the books.
func (h *Heap) link(p, size uint64, hole pageRun) {
	i, j := listOf(size)
	head := &h.lists[i][j]
	*h.header(p) = size | flagFree // two free blocks are never neighbours
	*h.prevSize(p + size) = size
	*h.header(p + size) |= flagPrevFree
	*h.nextFree(p), *h.prevInList(p) = *head, 0
	if *head != 0 {
		*h.prevInList(head.offset()) = refTo(p)
	}
	*head = refTo(p)
	h.second[i] |= 1 << j
	h.first |= 1 << i
	if size >= skipFree {
		h.setHole(p, hole)
	}
}

// unlink takes the free block p out of its list and its hole out of the books.
// Its header stays as it is.
func (h *Heap) unlink(p uint64) {
	if h.size(p) >= skipFree {
		h.idle -= h.idleOf(p)
		h.holes -= h.holeOf(p).bytes()
	}
	i, j := listOf(h.size(p))
	next, prev := *h.nextFree(p), *h.prevInList(p)
	if next != 0 {
		*h.prevInList(next.offset()) = prev
	}
	if prev != 0 {
		*h.nextFree(prev.offset()) = next
		return
	}
	h.lists[i][j] = next
	if next == 0 {
		h.second[i] &^= 1 << j
		if h.second[i] == 0 {
			h.first &^= 1 << i
		}
	}
}
