package ramfs

import "unsafe"

// PageSize is the unit in which memory is taken, in bytes.
const PageSize = 4096

// Memory is what the package needs of its surroundings. None of the functions may
// allocate from Go's heap.
type Memory struct {
	// Alloc returns the address of a zeroed page, aligned to its size, or
	// false. Free takes it back.
	Alloc func() (uintptr, bool)
	Free  func(uintptr)

	// Copy copies n bytes between any two addresses, those of the program
	// included, and reports whether all could be read and written.
	Copy func(dst, src, n uintptr) bool

	// Refresh brings the entries of a live folder up to date, before they are
	// looked at. Jump is the file that a live link leads to, 0 if that is none
	// of this package. Both may be nil if there are no such (live.go).
	Refresh func(folder Node)
	Jump    func(link Node) Node

	// Queued is told the object of a queue that an event has come to.
	Queued func(object uint64)

	// Now is the wall clock in nanoseconds since 1970.
	Now func() int64
}

var memory Memory

//go:noinline
func setMemory(m Memory) { memory = m }

// pointer turns an address into a pointer. It is sound because only pages that
// Memory.Alloc gave and the boot archive are reached through it, which are
// outside of Go's heap: the collector has no interest in such pointers.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// bytesAt is the memory at addr as a slice.
func bytesAt(addr, n uintptr) []byte { return unsafe.Slice((*byte)(pointer(addr)), n) }

// Usage counts what is in use.
type Usage struct {
	Pages int64 // of memory, those of contents included
	Nodes int64
}

var usage Usage

// Used returns what is in use.
func Used() Usage { return usage }

func allocPage() (uintptr, bool) {
	p, ok := memory.Alloc()
	if ok {
		usage.Pages++
	}
	return p, ok
}

func freePage(p uintptr) {
	usage.Pages--
	memory.Free(p)
}
