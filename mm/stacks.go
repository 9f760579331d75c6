package mm

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// MapStacks makes all of StackArea usable memory: zeros, that cost a page where
// they are touched first, and not before. It is done once in the life of a
// program; later calls return what the first one did.
//
// The area is one mapping without reservation. Hosted it is not part of the
// machine's memory file: no device reads from a stack. On metal frames are booked
// when a page is touched.
func MapStacks() error {
	stacks.once.Do(func() { stacks.err = mapStacks() })
	return stacks.err
}

// stacks is what MapStacks did. It is no sync.OnceValue in a variable, with which
// every program would have to carry what its function needs.
var stacks struct {
	once sync.Once
	err  error
}

func mapStacks() error {
	const flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_NORESERVE | mapFixedNoReplace
	base, size := pointer(StackArea.Base), uintptr(StackArea.Size)
	if _, err := unix.MmapPtr(-1, 0, base, size, unix.PROT_READ|unix.PROT_WRITE, flags); err != nil {
		return fmt.Errorf("mm: reserving %d GiB of addresses for stacks: %w", size>>30, err)
	}
	// A large page for the first word of each stack would cost 512 times too much.
	if err := madvise(StackArea, unix.MADV_NOHUGEPAGE); err != nil {
		return fmt.Errorf("mm: small pages for stacks: %w", err)
	}
	return nil
}

// DiscardStack gives the pages of r, a part of StackArea, back: they are zeros
// that cost nothing. MapStacks has succeeded before. ErrRange is the only error
// there can be.
func DiscardStack(r Range) error {
	if !r.pageAligned() || !StackArea.covers(r) {
		return fmt.Errorf("%w: discard %#x, %d bytes", ErrRange, uint64(r.Base), r.Size)
	}
	if err := madvise(r, unix.MADV_DONTNEED); err != nil {
		return fmt.Errorf("mm: discard %#x, %d bytes: %w", uint64(r.Base), r.Size, err)
	}
	return nil
}

// madvise is madvise(2). unix.Madvise takes a slice, whose length it cannot tell
// from a mistake at this size.
func madvise(r Range, advice int) error {
	_, _, errno := unix.RawSyscall(unix.SYS_MADVISE, uintptr(r.Base), uintptr(r.Size), uintptr(advice))
	if errno != 0 {
		return errno
	}
	return nil
}
