package mm

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Sizes of heaps.
const (
	MinHeap = 64 << 10 // smallest capacity
	MaxHeap = 64 << 30 // largest capacity: block offsets are 32 bits of 16 bytes

	heapMagic = 0x6e756f7368656170 // "nuosheap"
)

// Heap is the heap of one proclet. The struct lies at the start of its own
// range of addresses, the objects behind it, and everything that the allocator
// knows is in one or the other: copying the bytes to the same addresses of
// another machine moves the heap. Objects are not seen by Go's garbage
// collector, so they must not hold pointers into Go's heap.
//
// Any goroutine may call the methods at any time; they take the heap's lock.
// When the bytes are copied nobody may be inside, so the lock travels open.
type Heap struct {
	magic      uint64
	build      uint64 // of the program that made the heap
	base       Virt
	capacity   uint64
	generation uint64
	root       unsafe.Pointer

	mu    sync.Mutex
	used  uint64 // bytes of allocated blocks, their headers included
	peak  uint64 // highest value of used
	pages        // which of them have frames
	blocks

	watched  bool // nothing is to be unmapped, see Watch
	deferred ref  // blocks that are to be freed then, linked by nextFree

	sparse atomic.Bool // nothing is to be cached, see measure
	caches [heapCaches]cache
}

// CreateHeap makes an empty heap that may grow to r.Size bytes, a power of two
// from MinHeap to MaxHeap. r must lie in HeapArea, start at a multiple of
// MinHeap, and be this machine's to use. generation tells the heap from others
// at the same address, build is checked when the heap arrives elsewhere.
//
// Errors: ErrHeapRange, or that of Map.
func CreateHeap(r Range, generation, build uint64) (*Heap, error) {
	if err := checkHeapRange(r); err != nil {
		return nil, err
	}
	start := roundUp(firstBlock, PageSize)
	if err := Map(Range{r.Base, start}); err != nil {
		return nil, err
	}
	h := heapAt(r.Base)
	h.magic, h.build = heapMagic, build
	h.base, h.capacity, h.generation = r.Base, r.Size, generation
	h.end = start
	h.blocks.init(r.Size)
	h.poisonNew(firstBlock-headerSize, start)
	return h, nil
}

// Destroy gives the heap's frames back. Neither h nor any object of the heap
// may be touched afterwards.
func (h *Heap) Destroy() {
	h.mu.Lock() // whoever is inside leaves first
	mapped := h.mapped()
	h.mu.Unlock()
	h.magic = 0
	for _, r := range mapped {
		mustUnmap(r)
	}
}

// mustUnmap unmaps what is known to be mapped: an error means that the heap's
// header was overwritten.
func mustUnmap(r Range) {
	if err := Unmap(r); err != nil {
		panic(err)
	}
}

// Range returns the addresses set aside for the heap.
func (h *Heap) Range() Range { return Range{h.base, h.capacity} }

// Generation tells the heap from others at the same address.
func (h *Heap) Generation() uint64 { return h.generation }

// Root returns the object that SetRoot was given.
func (h *Heap) Root() unsafe.Pointer { return h.root }

// SetRoot makes p, an object of the heap, the one from which the others are
// found.
func (h *Heap) SetRoot(p unsafe.Pointer) { h.root = p }

// HeapStats are the sizes of a heap in bytes.
type HeapStats struct {
	Capacity uint64 // addresses set aside
	Mapped   uint64 // frames
	Used     uint64 // allocated blocks, their headers included
	Peak     uint64 // highest Used so far
}

// Stats returns the sizes of the heap.
func (h *Heap) Stats() HeapStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return HeapStats{Capacity: h.capacity, Mapped: h.end - h.holes, Used: h.used - h.cached(), Peak: h.peak}
}

func heapAt(base Virt) *Heap { return (*Heap)(pointer(base)) }

func checkHeapRange(r Range) error {
	if r.Size < MinHeap || r.Size > MaxHeap || r.Size&(r.Size-1) != 0 {
		return fmt.Errorf("%w: capacity %d is not a power of two from %d to %d", ErrHeapRange, r.Size, MinHeap, int64(MaxHeap))
	}
	if r.Base%MinHeap != 0 || r.Base < HeapArea.Base || r.End() > HeapArea.End() {
		return fmt.Errorf("%w: %#x is not a heap address", ErrHeapRange, r.Base)
	}
	return nil
}
