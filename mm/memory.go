package mm

import "fmt"

// Map backs r, a page-aligned part of HeapArea, with zeroed frames.
//
// All or nothing: on an error nothing has changed. Errors: ErrNoMemory,
// ErrMapped if a page of r has frames already, ErrRange.
//
// Everything in this file is safe for concurrent use, from goroutines.
func Map(r Range) error {
	if !r.pageAligned() || !HeapArea.covers(r) {
		return fmt.Errorf("%w: map %#x, %d bytes", ErrRange, uint64(r.Base), r.Size)
	}
	return mapAny(r, true)
}

// mapAny is Map for a range that is part of HeapArea. Unless it is to be zeroed there
// may be anything in it.
func mapAny(r Range, zeroed bool) error {
	if err := mapPages(r, zeroed); err != nil {
		return fmt.Errorf("map %#x, %d bytes: %w", uint64(r.Base), r.Size, err)
	}
	return nil
}

// Unmap gives the frames of r back, all of which Map must have backed, in
// however many calls. No processor uses an old translation after it returns; a
// NIC that was told to read from r must have finished before. Errors:
// ErrRange, ErrNotMapped (nothing has changed then).
func Unmap(r Range) error {
	if !r.pageAligned() || !HeapArea.covers(r) {
		return fmt.Errorf("%w: unmap %#x, %d bytes", ErrRange, uint64(r.Base), r.Size)
	}
	if err := unmapPages(r); err != nil {
		return fmt.Errorf("unmap %#x, %d bytes: %w", uint64(r.Base), r.Size, err)
	}
	return nil
}

// Translate returns the device address of v and how many bytes from there are
// known to be contiguous; there may be more. It works for memory that Map
// backed or AllocDMA returned, and takes no lock. The caller must keep v
// mapped meanwhile.
func Translate(v Virt) (p Phys, contiguous uint64, ok bool) { return translate(v) }

// AllocDMA returns zeroed memory with contiguous device addresses, aligned to
// its size rounded up to a power of two of pages, which is also what it costs.
// Errors: ErrNoMemory, also when no run is long enough; ErrRange for size 0.
func AllocDMA(size uint64) (Range, error) {
	if size == 0 {
		return Range{}, fmt.Errorf("%w: no bytes of device memory", ErrRange)
	}
	r, err := allocDMA(size)
	if err != nil {
		return Range{}, fmt.Errorf("%d bytes of device memory: %w", size, err)
	}
	return r, nil
}

// FreeDMA gives back what AllocDMA returned, whole. The device must not use it
// any more. Anything else is ErrRange.
func FreeDMA(r Range) error {
	if err := freeDMA(r); err != nil {
		return fmt.Errorf("free device memory %#x, %d bytes: %w", uint64(r.Base), r.Size, err)
	}
	return nil
}

// Direct returns where the direct map shows p.
func Direct(p Phys) Virt { return DirectArea.Base + Virt(p) }

// Bytes returns the memory of r, which must be mapped, as a slice. The slice
// is good while r stays mapped: the collector knows nothing of it.
func Bytes(r Range) []byte { return bytesAt(r.Base, r.Size) }

// Frames counts the machine's frames by owner, all at one moment. Frames of
// page tables are booked on their own, hosted as on metal.
func Frames() Usage { return usage() }
