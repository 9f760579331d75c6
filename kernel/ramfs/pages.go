package ramfs

import "syscall"

// The content of a regular file is a tree of pages of 512 addresses, as high as
// the file is long, with the pages of the content as leaves. A page that is not
// there reads as zeros. A file of the boot archive is read where it lies, until
// it is changed.

const (
	fanOut  = PageSize / 8
	maxSize = 1 << 46 // bytes
)

// span is how many pages a tree of some height can have.
func span(height int32) uint64 {
	n := uint64(1)
	for range height {
		n *= fanOut
	}
	return n
}

// page returns the address of a page of the content, 0 if it is not there. With
// make it is made; then 0 means that there is no memory.
func (in *inode) page(index uint64, make bool) uintptr {
	for index >= span(in.height) {
		if !make {
			return 0
		}
		if in.root != 0 {
			top, ok := allocPage()
			if !ok {
				return 0
			}
			*(*uintptr)(pointer(top)) = in.root
			in.root = top
		}
		in.height++
	}
	slot := &in.root
	for height := in.height; ; height-- {
		if *slot == 0 {
			if !make {
				return 0
			}
			p, ok := allocPage()
			if !ok {
				return 0
			}
			*slot = p
			if height == 0 {
				in.pages++
			}
		}
		if height == 0 {
			return *slot
		}
		below := span(height - 1)
		slot = (*uintptr)(pointer(*slot + uintptr(index/below%fanOut)*8))
	}
}

// drop frees the pages from index on.
func (in *inode) drop(index uint64) {
	in.fixed = 0
	if in.root != 0 && in.dropBelow(in.root, in.height, 0, index) {
		in.root, in.height = 0, 0
	}
}

// dropBelow does so for a tree whose first page is first, and reports whether
// nothing of it is left.
func (in *inode) dropBelow(at uintptr, height int32, first, index uint64) bool {
	if height == 0 {
		if first < index {
			return false
		}
		freePage(at)
		in.pages--
		return true
	}
	empty := true
	below := span(height - 1)
	for i := range uint64(fanOut) {
		slot := (*uintptr)(pointer(at + uintptr(i)*8))
		if *slot == 0 {
			continue
		}
		if start := first + i*below; start+below > index && in.dropBelow(*slot, height-1, start, index) {
			*slot = 0
		} else {
			empty = false
		}
	}
	if empty {
		freePage(at)
	}
	return empty
}

// thaw copies the content out of the boot archive, so that it can be changed.
func (in *inode) thaw() syscall.Errno {
	from := in.fixed
	if from == 0 {
		return 0
	}
	for at := int64(0); at < in.size; at += PageSize {
		p := in.page(uint64(at/PageSize), true)
		if p == 0 {
			in.drop(0)
			in.fixed = from
			return syscall.ENOSPC
		}
		copy(bytesAt(p, PageSize), bytesAt(from+uintptr(at), uintptr(min(PageSize, in.size-at))))
	}
	in.fixed = 0
	return 0
}

// zeros is what a page that is not there reads as.
var zeros [PageSize]byte

// Read copies up to n bytes from offset on to the program's memory at buf, and
// returns how many.
func (n Node) Read(offset int64, buf, count uintptr) (uintptr, syscall.Errno) {
	in := n.in()
	if offset < 0 {
		return 0, syscall.EINVAL
	}
	if offset >= in.size || count == 0 {
		return 0, 0
	}
	count = uintptr(min(uint64(count), uint64(in.size-offset)))
	in.accessed = memory.Now()
	if in.fixed != 0 {
		if !memory.Copy(buf, in.fixed+uintptr(offset), count) {
			return 0, syscall.EFAULT
		}
		n.Event(InAccess)
		return count, 0
	}
	for done := uintptr(0); done < count; {
		at := uint64(offset) + uint64(done)
		part := min(count-done, uintptr(PageSize-at%PageSize))
		from := in.page(at/PageSize, false)
		if from == 0 {
			from = addressOf(&zeros)
		} else {
			from += uintptr(at % PageSize)
		}
		if !memory.Copy(buf+done, from, part) {
			return done, faultAfter(done)
		}
		done += part
	}
	n.Event(InAccess)
	return count, 0
}

// Write copies count bytes of the program's memory at buf into the file from
// offset on, which makes it longer if need be, and returns how many: fewer when
// memory runs out.
func (n Node) Write(offset int64, buf, count uintptr) (uintptr, syscall.Errno) {
	in := n.in()
	if offset < 0 {
		return 0, syscall.EINVAL
	}
	if offset >= maxSize || uint64(count) > uint64(maxSize-offset) {
		return 0, syscall.EFBIG
	}
	if count == 0 {
		return 0, 0
	}
	if e := in.thaw(); e != 0 {
		return 0, e
	}
	in.modified = memory.Now()
	in.change = in.modified
	in.mode &^= syscall.S_ISUID | syscall.S_ISGID
	done, e := in.fill(offset, buf, count)
	if done > 0 {
		n.Event(InModify)
	}
	return done, e
}

// fill is Write's part for the pages.
func (in *inode) fill(offset int64, buf, count uintptr) (uintptr, syscall.Errno) {
	for done := uintptr(0); done < count; {
		at := uint64(offset) + uint64(done)
		part := min(count-done, uintptr(PageSize-at%PageSize))
		to := in.page(at/PageSize, true)
		if to == 0 {
			if done == 0 {
				return 0, syscall.ENOSPC
			}
			return done, 0
		}
		if !memory.Copy(to+uintptr(at%PageSize), buf+done, part) {
			return done, faultAfter(done)
		}
		done += part
		in.size = max(in.size, int64(at+uint64(part)))
	}
	return count, 0
}

// faultAfter is the error of a copy that failed: none if some of it was done.
func faultAfter(done uintptr) syscall.Errno {
	if done > 0 {
		return 0
	}
	return syscall.EFAULT
}

// Truncate sets the size of a regular file.
func (n Node) Truncate(size int64) syscall.Errno {
	in := n.in()
	switch {
	case size < 0:
		return syscall.EINVAL
	case size > maxSize:
		return syscall.EFBIG
	}
	if size == 0 {
		in.drop(0)
	} else if e := in.thaw(); e != 0 {
		return e
	}
	if size < in.size && size > 0 {
		in.drop(uint64(size+PageSize-1) / PageSize)
		if p := in.page(uint64(size)/PageSize, false); p != 0 && size%PageSize != 0 {
			clear(bytesAt(p, PageSize)[size%PageSize:])
		}
	}
	in.size = size
	in.modified = memory.Now()
	in.change = in.modified
	n.Event(InModify)
	return 0
}

// Piece returns where the content lies from an offset on, and how many bytes follow
// there: none at the end. It is valid until the file is changed.
func (n Node) Piece(offset int64) (addr, count uintptr) {
	in := n.in()
	if offset < 0 || offset >= in.size {
		return 0, 0
	}
	left := uintptr(in.size - offset)
	in.accessed = memory.Now()
	if in.fixed != 0 {
		return in.fixed + uintptr(offset), left
	}
	inPage := uintptr(offset % PageSize)
	addr = in.page(uint64(offset)/PageSize, false)
	if addr == 0 {
		addr = addressOf(&zeros)
	}
	return addr + inPage, min(left, PageSize-inPage)
}

// Page returns the page of the content at an offset, to be mapped: writes to it
// are writes to the file. It is made if it is not there; 0 means that there is no
// memory. It stays until the file is cut off before it or dies.
func (n Node) Page(offset int64) uintptr {
	in := n.in()
	if in.thaw() != 0 {
		return 0
	}
	return in.page(uint64(offset)/PageSize, true)
}
