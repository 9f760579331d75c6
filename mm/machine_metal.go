//go:build metal

package mm

import (
	"fmt"
	"syscall"
)

// On metal the memory API is made of system calls. A goroutine that held a
// lock of Space could be switched away with it at any function's entry; the
// handler runs on a kernel stack with interrupts off, where that cannot happen,
// and is where the runtime's own memory calls take the same locks.

// machine is the machine's memory. It is static because there is no Go heap
// when it starts.
var machine Space

// Machine returns the machine's address space, for the kernel.
func Machine() *Space { return &machine }

// Start takes over the machine's memory: it builds page tables, loads them
// into the first processor, and from then on all memory calls work. The direct
// map must show the first 4 GiB already; NXE and WP must be set, so that
// protections hold in ring 0. It returns what is wrong, or "".
//
// It runs once, on one processor, before the Go runtime starts.
func Start(m Memory) (problem string) {
	machine.tables.frames.direct = DirectArea.Base
	machine.tables.frames.startsDirty = true
	return machine.start(m, setRoot)
}

// AllocKernel returns 2^order zeroed frames, as the direct map shows them, for
// stacks and tables of the kernel. Like the methods of Space it is for kernel
// context only.
func AllocKernel(order int) (Virt, bool) {
	p, ok := machine.tables.frames.alloc(order, Kernel)
	return Direct(p), ok
}

// FreeKernel gives back what AllocKernel returned.
func FreeKernel(v Virt) { machine.tables.frames.release(Phys(v-DirectArea.Base), Kernel) }

// mapStep bounds the work of one system call, during which the processor takes
// no interrupts, to the zeroing of so many bytes.
const mapStep = 2 << 20

func mmap(addr Virt, size uint64, flags uint64) (Virt, error) {
	v, _, errno := syscall.RawSyscall6(syscall.SYS_MMAP, uintptr(addr), uintptr(size),
		syscall.PROT_READ|syscall.PROT_WRITE, uintptr(flags), ^uintptr(0), 0)
	if errno != 0 {
		return 0, errorOf(errno)
	}
	return Virt(v), nil
}

func munmap(r Range) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_MUNMAP, uintptr(r.Base), uintptr(r.Size), 0); errno != 0 {
		return errorOf(errno)
	}
	return nil
}

func errorOf(errno syscall.Errno) error {
	switch errno {
	case eNoMem:
		return ErrNoMemory
	case eExist:
		return ErrMapped
	case eInval:
		return ErrRange
	}
	return errno
}

func mapPages(r Range, zeroed bool) error {
	flags := uint64(mapPrivate | mapAnonymous | mapFixedNoReplace | mapPopulate)
	if !zeroed {
		flags |= mapUsed
	}
	for done := uint64(0); done < r.Size; done += mapStep {
		_, err := mmap(r.Base+Virt(done), min(mapStep, r.Size-done), flags)
		if err != nil {
			if done > 0 {
				unmapPages(Range{r.Base, done})
			}
			return err
		}
	}
	return nil
}

func unmapPages(r Range) error {
	err := munmap(r)
	if err == ErrRange { // Unmap has checked the range
		return ErrNotMapped
	}
	return err
}

func allocDMA(size uint64) (Range, error) {
	v, err := mmap(0, size, mapPrivate|mapAnonymous|mapDMA)
	return Range{v, size}, err
}

func freeDMA(r Range) error { return munmap(r) }

func translate(v Virt) (Phys, uint64, bool) { return machine.tables.translate(v) }

func usage() Usage { return machine.Usage() }

// MapDevice makes device registers visible, uncached, for ever. It serves
// goroutines; the kernel itself calls Space.MapDevice.
func MapDevice(p Phys, size uint64) (Virt, error) {
	v, err := mmap(Virt(p), size, mapPrivate|mapAnonymous|mapDevice)
	if err != nil {
		return 0, fmt.Errorf("mm: device registers %#x, %d bytes: %w", uint64(p), size, err)
	}
	return v, nil
}
