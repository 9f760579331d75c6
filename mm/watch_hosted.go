//go:build !metal

package mm

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Hosted, Linux notices what is written: userfaultfd(2) with UFFD_FEATURE_WP_ASYNC resolves
// the fault of a writer at once, without a handler, and PAGEMAP_SCAN says which pages
// have been written and protects them again. Linux 6.7 has both for shared memory.
//
// Pieces of heaps in windows are part of mappings that others share. They are not watched,
// and count as written.

// Numbers of linux/userfaultfd.h and linux/fs.h.
const (
	uffdAPI          = 0xaa
	uffdUserModeOnly = 1

	uffdWPShmem       = 1 << 12
	uffdWPUnpopulated = 1 << 13
	uffdWPAsync       = 1 << 15

	uffdRegisterWP = 1 << 1

	ioctlUffdAPI        = 0xc018aa3f // _IOWR(0xaa, 0x3f, struct uffdio_api)
	ioctlUffdRegister   = 0xc020aa00 // _IOWR(0xaa, 0x00, struct uffdio_register)
	ioctlUffdUnregister = 0x8010aa01 // _IOR(0xaa, 0x01, struct uffdio_range)
	ioctlPagemapScan    = 0xc0606610 // _IOWR('f', 16, struct pm_scan_arg)

	pageIsWritten   = 1 << 1
	scanProtects    = 1 << 0 // PM_SCAN_WP_MATCHING
	scanWatchedOnly = 1 << 1 // PM_SCAN_CHECK_WPASYNC
)

// pageRegion is Linux's struct page_region.
type pageRegion struct{ start, end, categories uint64 }

// scanArg is Linux's struct pm_scan_arg.
type scanArg struct {
	size, flags, start, end, walkEnd, vec, vecLen, maxPages      uint64
	inverted, categories, anyOfTheseCategories, categoriesWanted uint64
}

// watcher is what a process needs to watch its memory.
type watcher struct {
	uffd    int
	pagemap int

	mu      sync.Mutex
	regions [512]pageRegion
}

// theWatcher is the process's watcher, once it has been tried.
var theWatcher = sync.OnceValues(func() (*watcher, error) {
	w, err := newWatcher()
	if err == nil {
		if err = w.try(); err != nil {
			w.close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: Linux: %w", ErrNoWatch, err)
	}
	return w, nil
})

func watchable() error {
	_, err := theWatcher()
	return err
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func newWatcher() (*watcher, error) {
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|uffdUserModeOnly, 0, 0)
	if errno != 0 {
		return nil, fmt.Errorf("userfaultfd: %w", errno)
	}
	w := &watcher{uffd: int(fd), pagemap: -1}
	api := struct{ api, features, ioctls uint64 }{uffdAPI, uffdWPShmem | uffdWPUnpopulated | uffdWPAsync, 0}
	_, err := ioctl(w.uffd, ioctlUffdAPI, unsafe.Pointer(&api))
	if err != nil {
		w.close()
		return nil, fmt.Errorf("userfaultfd with asynchronous write protection: %w", err)
	}
	if w.pagemap, err = unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		w.close()
		return nil, &os.PathError{Op: "open", Path: "/proc/self/pagemap", Err: err}
	}
	return w, nil
}

func (w *watcher) close() {
	unix.Close(w.uffd)
	if w.pagemap >= 0 {
		unix.Close(w.pagemap)
	}
}

// try sees whether all of it works, with memory like a heap's.
func (w *watcher) try() error {
	const pages = 3
	fd, err := unix.MemfdCreate("nuos-watch", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, pages*PageSize); err != nil {
		return err
	}
	b, err := unix.Mmap(fd, 0, pages*PageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer unix.Munmap(b)
	r := Range{Virt(uintptr(unsafe.Pointer(&b[0]))), pages * PageSize}
	b[0] = 1
	if err := w.register(r); err != nil {
		return err
	}
	for _, want := range [][]Range{{{r.Base, PageSize}}, nil, {{r.Base + PageSize, PageSize}}, nil} {
		if len(want) == 1 {
			*(*byte)(pointer(want[0].Base)) = 2
		}
		got, err := w.scan(r, nil)
		if err != nil {
			return err
		}
		if len(without(want, got)) != 0 || want == nil && len(got) != 0 {
			return fmt.Errorf("PAGEMAP_SCAN says that %#x were written, which were %#x", got, want)
		}
	}
	return w.unregister(r)
}

// register has Linux watch r.
func (w *watcher) register(r Range) error {
	arg := struct{ start, size, mode, ioctls uint64 }{uint64(r.Base), r.Size, uffdRegisterWP, 0}
	if _, err := ioctl(w.uffd, ioctlUffdRegister, unsafe.Pointer(&arg)); err != nil {
		return fmt.Errorf("mm: UFFDIO_REGISTER: %w", err)
	}
	return nil
}

// unregister undoes register. Linux then lets pages be written, but the first write to one
// that was protected is a fault again.
func (w *watcher) unregister(r Range) error {
	arg := struct{ start, size uint64 }{uint64(r.Base), r.Size}
	if _, err := ioctl(w.uffd, ioctlUffdUnregister, unsafe.Pointer(&arg)); err != nil {
		return fmt.Errorf("mm: UFFDIO_UNREGISTER: %w", err)
	}
	return nil
}

// scan appends to into the pages of r that were written since they were last protected, and
// protects them.
func (w *watcher) scan(r Range, into []Range) ([]Range, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	arg := scanArg{
		size: uint64(unsafe.Sizeof(scanArg{})), flags: scanProtects | scanWatchedOnly,
		start: uint64(r.Base), end: uint64(r.End()),
		vec: uint64(uintptr(unsafe.Pointer(&w.regions[0]))), vecLen: uint64(len(w.regions)), // of the watcher, which is there for ever
		categories: pageIsWritten, categoriesWanted: pageIsWritten,
	}
	for arg.start < arg.end {
		n, err := ioctl(w.pagemap, ioctlPagemapScan, unsafe.Pointer(&arg))
		if err != nil {
			return nil, fmt.Errorf("mm: PAGEMAP_SCAN: %w", err)
		}
		for _, g := range w.regions[:n] {
			into = appendRange(into, Range{Virt(g.start), g.end - g.start})
		}
		arg.start = arg.walkEnd
	}
	return into, nil
}

// writtenPages returns the pages of some mapped ranges that may have been written since it was
// last asked about them. All of them were, the first time.
func writtenPages(mapped []Range) (pages []Range, err error) {
	w, err := theWatcher()
	if err != nil {
		return nil, err
	}
	h, err := machine()
	if err != nil {
		return nil, err
	}
	for _, part := range h.divide(mapped) {
		if part.small {
			pages = appendRange(pages, part.Range)
			continue
		}
		if err := w.register(part.Range); err != nil {
			return nil, err
		}
		if pages, err = w.scan(part.Range, pages); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// unwatchPages ends the watch of mapped ranges.
func unwatchPages(mapped []Range) {
	w, err := theWatcher()
	if err != nil {
		return
	}
	h, err := machine()
	if err != nil {
		return
	}
	for _, part := range h.divide(mapped) {
		if !part.small {
			w.unregister(part.Range) // who unmaps it tries again
		}
	}
}

// heapPart is a part of a heap that is all in windows, or not at all.
type heapPart struct {
	Range
	small bool
}

// divide divides mapped ranges into parts. Those that are not in windows are watched from now
// on, as takeBack will want to know.
func (h *hosted) divide(mapped []Range) (parts []heapPart) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range mapped {
		for v := r.Base; v < r.End(); {
			p, size := h.run(v, uint64(r.End()-v))
			small := uint64(p) >= h.size
			if !small {
				size = min(size, h.size-uint64(p))
				h.watched.set(p, size)
			}
			if n := len(parts); n > 0 && parts[n-1].small == small && parts[n-1].End() == v {
				parts[n-1].Size += size
			} else {
				parts = append(parts, heapPart{Range{v, size}, small})
			}
			v += Virt(size)
		}
	}
	return parts
}

// forget makes entries in Linux's tables as they were before r was watched, whose frames
// are those from p on. To change the protection of a mapping there and back makes all of its
// entries writable at once; else the first write to each would be a fault. Nobody uses r any more.
func (h *hosted) forget(r Range, p Phys) error {
	if !h.watched.any(p, r.Size) {
		return nil
	}
	w, err := theWatcher()
	if err != nil {
		return err
	}
	err = errors.Join(w.unregister(r),
		unix.Mprotect(bytesAt(r.Base, r.Size), unix.PROT_READ), unix.Mprotect(bytesAt(r.Base, r.Size), unix.PROT_READ|unix.PROT_WRITE))
	if err == nil {
		h.watched.clear(p, r.Size)
	}
	return err
}
