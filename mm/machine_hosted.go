//go:build !metal

package mm

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"nuos/boot"
)

// Hosted, a machine's memory is one memfd and a frame is an offset in it. The
// frame allocator and the page tables are the same as on metal, and live in
// that memory, too; what the processor would do with the tables, Linux is
// asked to do (lend_hosted.go). Small pieces of heaps are elsewhere in the file, see
// window_hosted.go.

var memParam = boot.NewParam("mem", "512M", "hosted: size of the machine's memory, with suffix K, M, G or T")

// hosted is the process's one machine.
type hosted struct {
	fd   int
	size uint64

	mu      sync.Mutex
	tables  tables   // written with mu held; translate reads them without
	entered frameSet // which frames Linux has in its tables; see lend
	watched frameSet // which of them it may have protected; see forget
	pieces  int      // mappings that Linux keeps for heaps
	windows windows
}

// machine makes the machine on first use. A program that never asks for memory
// has none.
var machine = sync.OnceValues(func() (*hosted, error) {
	size, err := parseSize(memParam.Value())
	if err != nil {
		return nil, fmt.Errorf("boot parameter mem=%s: %w", memParam.Value(), err)
	}
	return newHosted(size)
})

// newHosted maps size bytes of shared memory at DirectArea.
func newHosted(size uint64) (*hosted, error) {
	fd, err := unix.MemfdCreate("nuos", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("mm: memfd_create: %w", err)
	}
	h := &hosted{fd: fd, size: size, entered: newFrameSet(size), watched: newFrameSet(size)}
	if err := unix.Ftruncate(fd, int64(h.fileSize())); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("mm: memory of %d bytes: %w", size, err)
	}
	// Who maps it must not find it gone.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("mm: sealing the machine's memory: %w", err)
	}
	if err := h.show(Range{DirectArea.Base, h.fileSize()}, 0, unix.MAP_FIXED_NOREPLACE|unix.MAP_NORESERVE); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("mm: direct map of %d bytes at %#x: %w", size, uint64(DirectArea.Base), err)
	}
	f := &h.tables.frames
	f.direct = DirectArea.Base
	f.add([]PhysRange{{0, size}}, nil)
	if !h.tables.init() {
		hide(Range{DirectArea.Base, h.fileSize()})
		unix.Close(fd)
		return nil, fmt.Errorf("mm: %w: %d bytes of memory", ErrNoMemory, size)
	}
	return h, nil
}

// show maps the file from offset p at r.
func (h *hosted) show(r Range, p Phys, flags int) error {
	_, err := unix.MmapPtr(h.fd, int64(p), pointer(r.Base), uintptr(r.Size),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|flags)
	return err
}

func hide(r Range) error { return unix.MunmapPtr(pointer(r.Base), uintptr(r.Size)) }

func mapPages(r Range, zeroed bool) error {
	h, err := machine()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.tables.empty(r) {
		return ErrMapped
	}
	if r.Size <= smallPiece {
		h.openWindows(r)
	}
	if small, err := h.mapSmall(r); small {
		if err != nil {
			h.closeWindows(r)
		}
		return err
	}
	before := h.countPieces(r)
	if !h.tables.back(r, Heaps, ProtRead|ProtWrite, zeroed) {
		h.closeWindows(r)
		return ErrNoMemory
	}
	added := h.countPieces(r) - before
	if h.pieces+added > maxPieces {
		h.tables.unmapRange(r)
		h.closeWindows(r)
		return fmt.Errorf("%w: %d mappings in use", ErrNoMemory, h.pieces)
	}
	h.pieces += added
	for v := r.Base; v < r.End(); {
		p, size := h.run(v, uint64(r.End()-v))
		if err := h.lend(Range{v, size}, p); err != nil {
			h.takeBack(Range{r.Base, uint64(v - r.Base)})
			h.tables.unmapRange(r)
			h.pieces -= added
			h.closeWindows(r)
			if errors.Is(err, unix.ENOMEM) {
				return fmt.Errorf("%w: Linux has no room for another mapping", ErrNoMemory)
			}
			return fmt.Errorf("mm: mremap: %w", err)
		}
		v += Virt(size)
	}
	h.countWindows(r, 1)
	return nil
}

// maxPieces bounds the mappings for heaps. A process may have 65,530 (vm.
// max_map_count); at that limit Go's runtime could not grow its own heap any
// more, and would crash.
const maxPieces = 60000

// countPieces returns how many mappings begin in r or directly behind it:
// Linux keeps one for each stretch whose addresses and offsets are in order.
// Within an open window all addresses are mapped.
func (h *hosted) countPieces(r Range) (count int) {
	var next Phys // what would continue the piece
	for v := r.Base - PageSize; v <= r.End(); {
		e, p, size := h.tables.stretch(v, uint64(r.End()-v)+PageSize)
		if e == 0 {
			p = h.smallPlace(v)
			size = min(size, windowSize-uint64(v)%windowSize)
		}
		if p == 0 {
			next = 0
		} else {
			if v >= r.Base && p != next {
				count++
			}
			next = p + Phys(size)
		}
		v += Virt(size)
	}
	return count
}

// run returns the offset of v in the file and how many of the limit bytes from
// there are in order.
func (h *hosted) run(v Virt, limit uint64) (Phys, uint64) {
	_, start, size := h.tables.stretch(v, limit)
	for size < limit {
		e, p, more := h.tables.stretch(v+Virt(size), limit-size)
		if e == 0 || p != start+Phys(size) {
			break
		}
		size += more
	}
	return start, min(size, limit)
}

func unmapPages(r Range) error {
	h, err := machine()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.tables.full(r) {
		return ErrNotMapped
	}
	if !h.tables.cut(r.Base) || !h.tables.cut(r.End()) {
		return ErrNoMemory
	}
	small := h.countSmall(r)
	if small < r.Size/PageSize {
		if err := h.takeBack(r); err != nil {
			return fmt.Errorf("mm: mremap: %w", err)
		}
	}
	before := h.countPieces(r)
	h.tables.unmapRange(r)
	h.pieces += h.countPieces(r) - before
	if small > 0 {
		h.punch(r)
		h.tables.frames.unreserve(small, Heaps)
	}
	h.countWindows(r, -1)
	h.closeWindows(r)
	return nil
}

func translate(v Virt) (Phys, uint64, bool) {
	h, err := machine()
	if err != nil {
		return 0, 0, false
	}
	return h.tables.translate(v)
}

func allocDMA(size uint64) (Range, error) {
	h, err := machine()
	if err != nil {
		return Range{}, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.tables.allocDMA(size)
	if !ok {
		return Range{}, ErrNoMemory
	}
	return Range{v, size}, nil
}

func freeDMA(r Range) error {
	h, err := machine()
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.tables.freeDMA(r) {
		return ErrRange
	}
	return nil
}

func usage() Usage {
	h, err := machine()
	if err != nil {
		return Usage{}
	}
	return h.tables.frames.ledger.read()
}

// SharedMemory returns the file that holds the machine's memory, for a
// vhost-user peer, and its size, which is mostly empty; a device address is an
// offset in it. The file is the machine's and stays open. If there can be no
// memory, fd is -1 and AllocDMA says why.
func SharedMemory() (fd int, size uint64) {
	h, err := machine()
	if err != nil {
		return -1, 0
	}
	return h.fd, h.fileSize()
}
