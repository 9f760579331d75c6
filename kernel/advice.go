//go:build metal

package kernel

import (
	"syscall"

	"nuos/mm"
)

// Calls that ask for what is the case anyhow, as files and programs lie in memory and
// nowhere else: to read ahead, to write out, to keep pages. What is left are the errors.

// fadvise is posix_fadvise(2).
func fadvise(fd int32, length int64, advice uint64) uint64 {
	const last = 5 // POSIX_FADV_NOREUSE
	f := openFile(fd)
	switch {
	case f == nil:
		return errno(eBADF)
	case f.kind == filePipe:
		return errno(syscall.ESPIPE)
	case length < 0 || advice > last:
		return errno(eINVAL)
	}
	return 0
}

// readahead is readahead(2).
func readahead(fd int32) uint64 {
	f := openFile(fd)
	switch {
	case f == nil || !f.reads():
		return errno(eBADF)
	case f.kind != fileRegular:
		return errno(eINVAL)
	}
	return 0
}

// syncFileRange is sync_file_range(2).
func syncFileRange(fd int32, offset, length int64, flags uint64) uint64 {
	const all = 7
	f := openFile(fd)
	switch {
	case f == nil:
		return errno(eBADF)
	case flags&^all != 0 || offset < 0 || length < 0 || offset+length < 0:
		return errno(eINVAL)
	case f.kind != fileRegular && f.kind != fileDir:
		return errno(syscall.ESPIPE)
	}
	return 0
}

// syncfs is syncfs(2).
func syncfs(fd int32) uint64 {
	if openFile(fd) == nil {
		return errno(eBADF)
	}
	return 0
}

// mlock is mlock(2), mlock2(2) and munlock(2): no page is ever taken away.
func mlock(addr, length, flags uint64) uint64 {
	const onFault = 1
	if flags&^onFault != 0 {
		return errno(eINVAL)
	}
	start := addr &^ (mm.PageSize - 1)
	end := (addr + length + mm.PageSize - 1) &^ (mm.PageSize - 1)
	switch {
	case end < start:
		return errno(eINVAL)
	case end > start && !space().Mapped(mm.Virt(start), end-start):
		return errno(syscall.ENOMEM)
	}
	return 0
}

// mlockall is mlockall(2).
func mlockall(flags uint64) uint64 {
	const current, future, onFault = 1, 2, 4
	if flags&^(current|future|onFault) != 0 || flags&(current|future) == 0 {
		return errno(eINVAL)
	}
	return 0
}
