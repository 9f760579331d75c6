//go:build !metal

package mm

import (
	"errors"

	"golang.org/x/sys/unix"
)

// How frames get to heap addresses. Linux takes about as long to enter a page into its
// tables, or to take it out, as to copy the page. So that is done once for each frame: the
// first time that it is used. From then on its entry is in the direct map while the
// frame is free, and moves to the heap's address and back with it (mremap(2) with
// MREMAP_DONTUNMAP, which Linux has for shared memory since 5.13). That takes a few
// microseconds for megabytes. The direct map stays one mapping: what comes back joins what is
// on either side.

// lend maps r to the frames from p on, which are in a row.
func (h *hosted) lend(r Range, p Phys) error {
	const flags = unix.MREMAP_MAYMOVE | unix.MREMAP_FIXED | unix.MREMAP_DONTUNMAP
	if _, err := unix.MremapPtr(pointer(Direct(p)), uintptr(r.Size), pointer(r.Base), uintptr(r.Size), flags); err != nil {
		return err
	}
	if h.entered.all(p, r.Size) {
		return nil
	}
	// An older Linux does not know how, and enters the pages when they are touched.
	err := unix.Madvise(bytesAt(r.Base, r.Size), unix.MADV_POPULATE_WRITE)
	if err == nil {
		h.entered.set(p, r.Size)
	} else if !errors.Is(err, unix.EINVAL) {
		return errors.Join(unix.ENOMEM, h.giveBack(r, p))
	}
	return nil
}

// takeBack takes away the mappings of the frames in r. In a window its own mapping appears again.
func (h *hosted) takeBack(r Range) (err error) {
	for v := r.Base; v < r.End(); {
		p, size := h.run(v, uint64(r.End()-v))
		if uint64(p) < h.size {
			size = min(size, h.size-uint64(p))
			err = errors.Join(err, h.forget(Range{v, size}, p), h.giveBack(Range{v, size}, p))
		}
		v += Virt(size)
	}
	return err
}

// giveBack undoes lend.
func (h *hosted) giveBack(r Range, p Phys) (err error) {
	const flags = unix.MREMAP_MAYMOVE | unix.MREMAP_FIXED
	if _, err := unix.MremapPtr(pointer(r.Base), uintptr(r.Size), pointer(Direct(p)), uintptr(r.Size), flags); err != nil {
		return err
	}
	each(r, func(_ uint64, part Range) {
		if p := h.smallPlace(part.Base); p != 0 {
			err = errors.Join(err, h.show(part, p, unix.MAP_FIXED_NOREPLACE|unix.MAP_NORESERVE))
		}
	})
	return err
}

// frameSet is a set of frames.
type frameSet []uint64

func newFrameSet(memory uint64) frameSet { return make(frameSet, (memory/PageSize+63)/64) }

// all reports whether the frames of size bytes from p on are members.
func (s frameSet) all(p Phys, size uint64) bool {
	for n, end := uint64(p)/PageSize, (uint64(p)+size)/PageSize; n < end; n++ {
		if n%64 == 0 && end-n >= 64 && s[n/64] == ^uint64(0) {
			n += 63
		} else if s[n/64]>>(n%64)&1 == 0 {
			return false
		}
	}
	return true
}

// set makes them members.
func (s frameSet) set(p Phys, size uint64) {
	for n := uint64(p) / PageSize; n < (uint64(p)+size)/PageSize; n++ {
		s[n/64] |= 1 << (n % 64)
	}
}

// any reports whether some of them are members.
func (s frameSet) any(p Phys, size uint64) bool {
	for n, end := uint64(p)/PageSize, (uint64(p)+size)/PageSize; n < end; n++ {
		if n%64 == 0 && end-n >= 64 && s[n/64] == 0 {
			n += 63
		} else if s[n/64]>>(n%64)&1 != 0 {
			return true
		}
	}
	return false
}

// clear makes them no members.
func (s frameSet) clear(p Phys, size uint64) {
	for n := uint64(p) / PageSize; n < (uint64(p)+size)/PageSize; n++ {
		s[n/64] &^= 1 << (n % 64)
	}
}
