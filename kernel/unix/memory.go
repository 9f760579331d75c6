package unix

import (
	"syscall"
	"unsafe"
)

// PageSize is the unit in which memory is taken, in bytes.
const PageSize = 4096

// Kernel is what the package needs of its surroundings. None of the functions may
// allocate from Go's heap.
type Kernel struct {
	// Alloc returns the address of a zeroed page, aligned to its size, or
	// false. Free takes it back.
	Alloc func() (uintptr, bool)
	Free  func(uintptr)

	// Copy copies n bytes between any two addresses, those of the program
	// included, and reports whether all could be read and written.
	Copy func(dst, src, n uintptr) bool

	// Notify says that something has happened to socket s that makes it ready
	// for what mask says (syscall.EPOLLIN and so on).
	Notify func(s int, mask uint32)

	// Hold returns the open file behind a descriptor and keeps it open until
	// Release. Install opens a descriptor for it; its result is negative if
	// there is none left.
	Hold    func(fd int32) (file int32, e syscall.Errno)
	Install func(file int32, closeOnExec bool) (fd int32)
	Release func(file int32)

	// Bind makes a file system node for socket s, Find returns the socket of a
	// node, and Unbind says that the node's socket is gone.
	Bind   func(path []byte, s int) (node uintptr, e syscall.Errno)
	Find   func(path []byte) (s int, e syscall.Errno)
	Unbind func(node uintptr)
}

var kernel Kernel

// Start is called once, before anything else and before the Go runtime starts: it
// stores functions where a collector would look.
//
//go:noinline
func Start(k Kernel) { kernel = k }

// pointer turns an address into a pointer. It is sound because only pages that
// Kernel.Alloc gave are reached through it, which are outside of Go's heap: the
// collector has no interest in such pointers.
func pointer(addr uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&addr)) }

// bytesAt is the memory at addr as a slice.
func bytesAt(addr, n uintptr) []byte { return unsafe.Slice((*byte)(pointer(addr)), n) }

// scratch is what the program's memory is copied to and from. It is static, so
// that it has an address that does not change.
var scratch [128]byte

// load copies n bytes of the program's memory to scratch.
func load(addr, n uintptr) bool {
	return kernel.Copy(uintptr(unsafe.Pointer(&scratch)), addr, n)
}

// store copies n bytes of scratch to the program's memory.
//
//go:noinline
func store(addr, n uintptr) bool {
	return kernel.Copy(addr, uintptr(unsafe.Pointer(&scratch)), n)
}

func scratch32(at int) uint32 { return *(*uint32)(unsafe.Pointer(&scratch[at])) }
func scratch64(at int) uint64 { return *(*uint64)(unsafe.Pointer(&scratch[at])) }

func load32(addr uintptr) (v uint32, ok bool) {
	ok = load(addr, 4)
	return scratch32(0), ok
}

//go:noinline
func store32(addr uintptr, v uint32) bool {
	*(*uint32)(unsafe.Pointer(&scratch[0])) = v
	return store(addr, 4)
}

func store64(addr uintptr, v uint64) bool {
	*(*uint64)(unsafe.Pointer(&scratch[0])) = v
	return store(addr, 8)
}
