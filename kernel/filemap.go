//go:build metal

package kernel

import (
	"sync/atomic"
	"syscall"

	"nuos/kernel/ramfs"
	"nuos/mm"
)

// Files in the address space. mm keeps the mappings and asks for a page of a file
// when it is touched; here is whose page that is. The kernel's lock guards the
// files, while mm's calls do without it, so a file that was mapped is held until
// somebody finds that it no longer is.

// endOfMapped ends the list of mapped files, which leads through their objects
// (ramfs.Node.Object); the object of a file that is not in it is 0.
const endOfMapped = ^uint64(0)

var (
	firstMapped uint64 = endOfMapped
	// unmapsSeen is mm's FileUnmaps when the list was gone through last.
	unmapsSeen atomic.Uint64
)

// mmapFile is mmap(2) of what a descriptor stands for.
// Precondition: the kernel's lock is held.
func mmapFile(addr, length, prot, flags uint64, fd int32, offset uint64) uint64 {
	const shared, private, sharedValidate, typeMask, anonymous = 1, 2, 3, 15, 0x20
	f := fileOf(fd)
	kind := flags & typeMask
	switch {
	case f == nil || f.kind == filePath:
		return errno(eBADF)
	case kind != shared && kind != private && kind != sharedValidate:
		return errno(eINVAL)
	case f.flags&syscall.O_ACCMODE == syscall.O_WRONLY:
		return errno(syscall.EACCES)
	case f.kind == fileZero:
		return result(space().Mmap(mm.Virt(addr), length, mm.Prot(prot), flags|anonymous))
	case f.kind != fileRegular:
		return errno(syscall.ENODEV)
	}
	v, e := space().MmapFile(mm.Virt(addr), length, mm.Prot(prot), flags, mm.File{
		ID: uintptr(f.node), Offset: offset, Shared: kind != private,
		ReadOnly: kind != private && f.flags&syscall.O_ACCMODE == syscall.O_RDONLY,
	})
	if e == 0 && *f.node.Object() == 0 {
		f.node.Hold()
		*f.node.Object(), firstMapped = firstMapped, uint64(f.node)
	}
	return result(v, e)
}

// releaseUnmapped lets go of the files that are no longer mapped. It is called
// after whatever may have removed a mapping.
func releaseUnmapped() {
	if space().FileUnmaps() == unmapsSeen.Load() {
		return
	}
	lock()
	unmapsSeen.Store(space().FileUnmaps()) // before looking: what comes later is looked for later
	for slot := &firstMapped; *slot != endOfMapped; {
		n := ramfs.Node(*slot)
		next := n.Object()
		if space().MapsFile(uintptr(n)) {
			slot = next
			continue
		}
		*slot, *next = *next, 0
		n.Release()
	}
	unlock()
}

// fileFault brings the page of a file that a fault asks for.
// Precondition: the kernel's lock is held.
func fileFault(addr, code uint64) filePage {
	file, asked := space().FileFault(mm.Virt(addr), code)
	n := ramfs.Node(file.ID)
	if !asked {
		return noFile
	}
	if int64(file.Offset) >= n.Size() {
		return behindFile
	}
	page := n.Page(int64(file.Offset))
	if page == 0 || !space().MapFilePage(mm.Virt(addr), code, file, mm.Virt(page)) {
		return noMemory
	}
	return brought
}

// filePage is what has become of the wish for a page of a file.
type filePage uint8

const (
	noFile     filePage = iota // no file is mapped there, or not so
	brought                    // the access will succeed
	behindFile                 // the file ends before
	noMemory
)

// populateFiles brings the pages of files that are mapped in a range, as advice to
// populate it for reading or writing asks for.
func populateFiles(addr, length, advice uint64) syscall.Errno {
	const populateWrite = 23
	code := uint64(0)
	if advice == populateWrite {
		code = 2 // of a page fault: a write
	}
	for at := addr; at-addr < length; at += mm.PageSize {
		lock()
		page := fileFault(at, code)
		unlock()
		switch page {
		case behindFile:
			return eFAULT
		case noMemory:
			return syscall.ENOMEM
		}
	}
	return 0
}

// setSize is ftruncate(2). What lies behind the new end is unmapped before its
// pages go.
func setSize(n ramfs.Node, size int64) syscall.Errno {
	if *n.Object() != 0 && size >= 0 && size < n.Size() {
		space().UnmapFile(uintptr(n), uint64(size+mm.PageSize-1)&^(mm.PageSize-1))
	}
	return n.Truncate(size)
}

// msync is msync(2). A shared mapping is the file, so nothing is left to do.
func msync(addr, length, flags uint64) uint64 {
	const async, invalidate, sync = 1, 2, 4
	switch {
	case addr%mm.PageSize != 0 || flags&^(async|invalidate|sync) != 0 || flags&(async|sync) == async|sync:
		return errno(eINVAL)
	case length != 0 && !space().Mapped(mm.Virt(addr), length):
		return errno(syscall.ENOMEM)
	}
	return 0
}
