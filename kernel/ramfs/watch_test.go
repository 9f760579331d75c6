package ramfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// watchers are a twin of which both sides are watched.
type watchers struct {
	twin
	fd      int   // Linux's
	q       Queue // here
	cookies map[uint32]uint32
}

func startWatchers(t *testing.T) *watchers {
	t.Helper()
	const shm = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil || fs.Type != 0x01021994 {
		t.Skip("there is no tmpfs at /dev/shm to compare with")
	}
	host, err := os.MkdirTemp(shm, "ramfs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(host) })
	startTest(t, 4096)
	w := &watchers{twin: twin{t: t, host: host}}
	w.open()
	t.Cleanup(func() { syscall.Close(w.fd) })
	return w
}

func (w *watchers) open() {
	var err error
	if w.fd, err = syscall.InotifyInit1(syscall.IN_NONBLOCK | syscall.IN_CLOEXEC); err != nil {
		w.t.Fatal(err)
	}
	var e syscall.Errno
	if w.q, e = NewQueue(1); e != 0 {
		w.t.Fatal(e)
	}
	w.cookies = map[uint32]uint32{}
}

func (w *watchers) watch(p string, mask uint32) {
	mode := Follow
	if mask&InDontFollow != 0 {
		mode = NoFollow
	}
	e := w.walk(&w.a, p, mode)
	switch {
	case e != 0:
	case w.a.Node == 0:
		e = syscall.ENOENT
	case mask&InOnlyFolder != 0 && w.a.Node.Kind() != syscall.S_IFDIR:
		e = syscall.ENOTDIR
	}
	got := int32(0)
	if e == 0 {
		got, e = w.q.Watch(w.a.Node, mask)
	}
	want, err := syscall.InotifyAddWatch(w.fd, w.real(p), mask)
	if w.same(fmt.Sprintf("watch %s for %#x", p, mask), e, err) && int(got) != want {
		w.t.Fatalf("watch number %d, Linux says %d", got, want)
	}
}

func (w *watchers) unwatch(wd int) {
	_, err := syscall.InotifyRmWatch(w.fd, uint32(wd))
	w.same(fmt.Sprint("unwatch ", wd), w.q.Unwatch(int32(wd)), err)
}

// use opens a file, reads or writes, and closes it.
func (w *watchers) use(p string, flags int, data []byte) {
	mode := Follow
	if flags&syscall.O_CREAT != 0 {
		mode = Create
	}
	e := w.walk(&w.a, p, mode)
	n := w.a.Node
	switch {
	case e != 0:
	case n == 0 && flags&syscall.O_CREAT == 0:
		e = syscall.ENOENT
	case n == 0:
		n, e = w.a.Make(syscall.S_IFREG | 0o644)
	case n.Kind() == syscall.S_IFDIR:
		if flags != syscall.O_RDONLY {
			e = syscall.EISDIR
		}
	}
	fd, err := syscall.Open(w.real(p), flags, 0o644)
	if !w.same(fmt.Sprintf("open %s with %#x", p, flags), e, err) {
		return
	}
	n.Event(InOpen)
	if flags&syscall.O_TRUNC != 0 {
		n.Truncate(0)
	}
	end := uint32(InCloseNowrite)
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		end = InCloseWrite
		syscall.Write(fd, data)
		n.Write(0, uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)))
	} else if n.Kind() != syscall.S_IFDIR {
		buf := make([]byte, 100)
		syscall.Read(fd, buf)
		n.Read(0, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	}
	syscall.Close(fd)
	n.Event(end)
}

// attributes changes one of those of a file.
func (w *watchers) attributes(p string, which int) {
	e := w.walk(&w.a, p, Follow)
	if e == 0 && w.a.Node == 0 {
		e = syscall.ENOENT
	}
	n := w.a.Node
	if e == 0 {
		switch which {
		case 0:
			n.SetMode(0o700)
		case 1:
			n.SetTimes(1e9, 2e9)
		case 2:
			n.SetOwner(0, ^uint32(0))
		case 3:
			n.SetTimes(Omit, 2e9)
		case 4:
			n.SetTimes(3e9, Omit)
		}
	}
	const omit = 1<<30 - 2
	var err error
	switch which {
	case 0:
		err = syscall.Chmod(w.real(p), 0o700)
	case 1:
		err = syscall.UtimesNano(w.real(p), []syscall.Timespec{{Sec: 1}, {Sec: 2}})
	case 2:
		err = syscall.Chown(w.real(p), 0, -1)
	case 3:
		err = syscall.UtimesNano(w.real(p), []syscall.Timespec{{Nsec: omit}, {Sec: 2}})
	case 4:
		err = syscall.UtimesNano(w.real(p), []syscall.Timespec{{Sec: 3}, {Nsec: omit}})
	}
	w.same(fmt.Sprintf("attribute %d of %s", which, p), e, err)
}

func (w *watchers) exchange(old, p string) {
	e := w.walk(&w.a, old, Parent)
	if e == 0 {
		e = w.walk(&w.b, p, Parent)
	}
	if e == 0 {
		e = w.a.Rename(&w.b, RenameExchange)
	}
	from, _ := syscall.BytePtrFromString(w.real(old))
	to, _ := syscall.BytePtrFromString(w.real(p))
	const sysRenameat2, atFDCWD = 316, -100
	at := atFDCWD
	_, _, en := syscall.Syscall6(sysRenameat2, uintptr(at), uintptr(unsafe.Pointer(from)), uintptr(at), uintptr(unsafe.Pointer(to)), RenameExchange, 0)
	var err error
	if en != 0 {
		err = en
	}
	w.same("exchange "+old+" "+p, e, err)
}

// events prints what there is to read. Cookies are numbered as they come.
func (w *watchers) events(b []byte, seen map[uint32]uint32) (text string) {
	for len(b) > 0 {
		word := func(k int) uint32 { return binary.NativeEndian.Uint32(b[4*k:]) }
		size := 16 + word(3)
		cookie := word(2)
		if cookie != 0 {
			if seen[cookie] == 0 {
				seen[cookie] = uint32(len(seen) + 1)
			}
			cookie = seen[cookie]
		}
		text += fmt.Sprintf("\n\t%d: %#x %d %q", int32(word(0)), word(1), cookie, b[16:size])
		b = b[size:]
	}
	return text
}

// compare reads all events of both sides.
func (w *watchers) compareEvents() {
	w.t.Helper()
	var b [2][1 << 16]byte
	want, err := syscall.Read(w.fd, b[0][:])
	if err != nil && err != syscall.EAGAIN {
		w.t.Fatal(err)
	}
	bytesLeft := w.q.Bytes()
	got, e := w.q.Read(uintptr(unsafe.Pointer(&b[1][0])), uintptr(len(b[1])))
	if e != 0 && e != syscall.EAGAIN {
		w.t.Fatal(e)
	}
	if int(bytesLeft) != int(got) || w.q.Bytes() != 0 {
		w.t.Fatalf("%d bytes were announced, %d read, %d left", bytesLeft, got, w.q.Bytes())
	}
	linux, own := w.events(b[0][:max(want, 0)], map[uint32]uint32{}), w.events(b[1][:got], map[uint32]uint32{})
	if linux != own {
		w.t.Fatalf("events%s\nLinux says%s\nwhat came before:\n%s", own, linux, strings.Join(w.trace[max(0, len(w.trace)-40):], "\n"))
	}
}

// TestWatchAgainstLinux watches random files while random things happen.
func TestWatchAgainstLinux(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 6 {
		w := startWatchers(t)
		path := func() string {
			parts := []string{}
			for range 1 + rnd.IntN(3) {
				parts = append(parts, []string{"a", "b", "c", "longer name", "and another one"}[min(4, int(rnd.ExpFloat64()*2))])
			}
			return strings.Join(parts, "/")
		}
		for range 2000 {
			switch p := path(); rnd.IntN(16) {
			case 0, 1:
				mask := rnd.Uint32() & allEvents
				for _, flag := range []uint32{InOnlyFolder, InDontFollow, InMaskAdd, InMaskCreate, inOneshot} {
					if rnd.IntN(8) == 0 && !(flag == InMaskCreate && mask&InMaskAdd != 0) {
						mask |= flag
					}
				}
				if mask == 0 {
					mask = InOpen
				}
				if rnd.IntN(5) == 0 {
					p = "."
				}
				w.watch(p, mask)
			case 2:
				w.unwatch(rnd.IntN(int(w.q.in().lastWD) + 2))
			case 3, 4:
				w.mkdir(p)
			case 5:
				w.use(p, syscall.O_RDWR|syscall.O_CREAT, bytes.Repeat([]byte{1}, rnd.IntN(50)))
			case 6:
				w.use(p, syscall.O_WRONLY|syscall.O_TRUNC, []byte("again"))
			case 7:
				w.use(p, syscall.O_RDONLY, nil)
			case 8:
				w.unlink(p)
			case 9:
				w.rmdir(p)
			case 10, 11:
				w.rename(path(), p)
			case 12:
				w.exchange(path(), p)
			case 13:
				w.symlink([]string{"a", "b/c", "nothing"}[rnd.IntN(3)], p)
			case 14:
				w.attributes(p, rnd.IntN(5))
			case 15:
				w.truncate(p, int64(rnd.IntN(100)))
			}
			if rnd.IntN(3) > 0 {
				w.compareEvents()
			}
		}
		w.compareEvents()
		w.q.Close()
		w.removeAll(Root())
		if u := Used(); u.Nodes != 1 || int(u.Pages) != pageSource.out || u.Pages != 1 || watches != 0 {
			t.Errorf("of an empty file system %+v are left, %d pages, and %d watches", u, pageSource.out, watches)
		}
	}
}

// TestWatchLinks compares what is told of files with several names, of removed ones that
// are open, and of a queue that overflows or is read with little room.
func TestWatchLinks(t *testing.T) {
	w := startWatchers(t)
	w.use("a", syscall.O_RDWR|syscall.O_CREAT, []byte("x"))
	w.watch("a", allEvents)
	w.watch(".", allEvents)
	w.link("a", "b")
	w.compareEvents()
	w.unlink("a")
	w.compareEvents()
	w.use("b", syscall.O_RDONLY, nil)
	w.compareEvents()
	w.link("b", "c")
	w.unlink("c")
	w.use("b", syscall.O_RDONLY, nil)
	w.unlink("b")
	w.compareEvents()

	// Reading with room for less than one event, and for one.
	w.use("some name", syscall.O_RDWR|syscall.O_CREAT, nil)
	var b [2][40]byte
	for _, room := range []int{0, 10, 31, 32, 40} {
		got, e := w.q.Read(uintptr(unsafe.Pointer(&b[1][0])), uintptr(room))
		n, err := syscall.Read(w.fd, b[0][:room])
		if w.same(fmt.Sprint("read with room for ", room), e, err) && (int(got) != n || b[0] != b[1]) {
			t.Errorf("%d bytes % x, Linux says %d % x", got, b[1], n, b[0])
		}
	}
	w.compareEvents()
	if queued[1] == 0 {
		t.Error("nobody was told of events")
	}
}

// TestWatchOverflow makes more events than a queue holds.
func TestWatchOverflow(t *testing.T) {
	startTest(t, 4096)
	q, e := NewQueue(2)
	if e != 0 {
		t.Fatal(e)
	}
	wd, e := q.Watch(Root(), InAttrib|InOpen)
	if e != 0 {
		t.Fatal(e)
	}
	for k := range MaxQueuedEvents + 100 {
		if k%2 == 0 {
			Root().Event(InOpen)
		} else {
			Root().Event(InAttrib)
		}
	}
	if q.in().count != MaxQueuedEvents+1 || q.Bytes() != 16*(MaxQueuedEvents+1) {
		t.Errorf("%d events of %d bytes wait", q.in().count, q.Bytes())
	}
	b := make([]byte, q.Bytes())
	if n, e := q.Read(uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))); e != 0 || int(n) != len(b) {
		t.Fatalf("read %d bytes, %v", n, e)
	}
	last := b[len(b)-16:]
	if binary.NativeEndian.Uint32(last) != 1<<32-1 || binary.NativeEndian.Uint32(last[4:]) != inOverflow || binary.NativeEndian.Uint32(b) != uint32(wd) {
		t.Errorf("the last event is % x, the first % x", last, b[:16])
	}
	q.Close()
}
