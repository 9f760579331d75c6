package ramfs

import (
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// queued counts the events of each queue.
var queued = map[uint64]int{}

// pageSource gives pages of one mapping.
var pageSource struct {
	free []uintptr
	out  int
	fail bool // no memory
}

func startTest(t testing.TB, pages int) {
	t.Helper()
	b, err := syscall.Mmap(-1, 0, pages*PageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	base := uintptr(unsafe.Pointer(&b[0]))
	pageSource.free, pageSource.out, pageSource.fail = nil, 0, false
	for i := range pages {
		pageSource.free = append(pageSource.free, base+uintptr(i)*PageSize)
	}
	watches = 0
	usage, partial, names, resume, resumeFolder = Usage{}, [numClasses]uintptr{}, [buckets]uintptr{}, 0, 0
	if !Start(Memory{
		Alloc: func() (uintptr, bool) {
			n := len(pageSource.free)
			if n == 0 || pageSource.fail {
				return 0, false
			}
			p := pageSource.free[n-1]
			pageSource.free = pageSource.free[:n-1]
			pageSource.out++
			clear(bytesAt(p, PageSize))
			return p, true
		},
		Free: func(p uintptr) {
			pageSource.out--
			pageSource.free = append(pageSource.free, p)
		},
		Copy: func(dst, src, n uintptr) bool {
			if dst < PageSize || src < PageSize {
				return false
			}
			copy(bytesAt(dst, n), bytesAt(src, n))
			return true
		},
		Now:    func() int64 { return time.Now().UnixNano() },
		Queued: func(object uint64) { queued[object]++ },
	}) {
		t.Fatal("no memory for a root folder")
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(b); err != nil {
			t.Error(err)
		}
	})
}

func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(inode{}); size > nodeSize {
		t.Errorf("an inode has %d bytes, room is for %d", size, nodeSize)
	}
	if max := minObject << (numClasses - 1); entrySize+maxName > uintptr(max) {
		t.Errorf("the longest entry has %d bytes, objects have up to %d", entrySize+maxName, max)
	}
}
