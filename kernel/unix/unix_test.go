package unix

import (
	"syscall"
	"testing"
	"unsafe"
)

// machine is the kernel that the tests give the package.
var machine struct {
	free   []uintptr
	out    int            // pages in use
	nodes  map[string]int // sockets by path
	open   map[int32]int  // references to files by number
	events [MaxSockets]uint32
	lastFD int32
}

func startTest(t testing.TB, pages int) {
	t.Helper()
	b, err := syscall.Mmap(-1, 0, pages*PageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	m := &machine
	m.free, m.out, m.nodes, m.open, m.lastFD = nil, 0, map[string]int{}, map[int32]int{}, 100
	for at := 0; at < len(b); at += PageSize {
		m.free = append(m.free, uintptr(unsafe.Pointer(&b[at])))
	}
	clear(sockets[:])
	clear(m.events[:])
	Start(Kernel{
		Alloc: func() (uintptr, bool) {
			n := len(m.free)
			if n == 0 {
				return 0, false
			}
			p := m.free[n-1]
			m.free = m.free[:n-1]
			m.out++
			clear(bytesAt(p, PageSize))
			return p, true
		},
		Free: func(p uintptr) {
			m.out--
			m.free = append(m.free, p)
		},
		Copy: func(dst, src, n uintptr) bool {
			if dst < PageSize || src < PageSize {
				return false
			}
			copy(bytesAt(dst, n), bytesAt(src, n))
			return true
		},
		Notify: func(s int, mask uint32) { m.events[s] |= mask },
		Hold: func(fd int32) (int32, syscall.Errno) {
			if m.open[fd] == 0 {
				return 0, syscall.EBADF
			}
			m.open[fd]++
			return fd, 0
		},
		Install: func(file int32, closeOnExec bool) int32 {
			m.lastFD++
			m.open[file]++
			return m.lastFD
		},
		Release: func(file int32) {
			if m.open[file]--; m.open[file] == 0 {
				delete(m.open, file)
				if i := int(file) - firstFile; i >= 0 {
					Close(i)
				}
			}
		},
		Bind: func(path []byte, s int) (uintptr, syscall.Errno) {
			if _, there := m.nodes[string(path)]; there {
				return 0, syscall.EADDRINUSE
			}
			m.nodes[string(path)] = s
			return uintptr(s) + 1, 0
		},
		Find: func(path []byte) (int, syscall.Errno) {
			s, there := m.nodes[string(path)]
			switch {
			case !there:
				return 0, syscall.ENOENT
			case s < 0:
				return 0, syscall.ECONNREFUSED
			}
			return s, 0
		},
		Unbind: func(node uintptr) {
			for path, s := range m.nodes {
				if s == int(node)-1 {
					m.nodes[path] = -1
				}
			}
		},
	})
	t.Cleanup(func() {
		if err := syscall.Munmap(b); err != nil {
			t.Error(err)
		}
	})
}

// firstFile and up are the files of sockets, by index.
const firstFile = 10000

func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(page{}); size > pageHeader {
		t.Errorf("a page's header has %d bytes, room is for %d", size, pageHeader)
	}
	if all := pageHeader + 4*maxRights; all >= PageSize {
		t.Errorf("header and files take %d bytes of a page", all)
	}
}

// settled closes the sockets that are left and checks that nothing else is.
func settled(t *testing.T) {
	t.Helper()
	for i := range sockets {
		if s := &sockets[i]; s.kind != 0 && s.state != closed {
			Close(i)
		}
	}
	for i := range sockets {
		if s := &sockets[i]; s.kind != 0 {
			t.Fatalf("socket %d is not free: %d references, peer %d", i, s.refs, s.peer)
		}
	}
	if machine.out != 0 {
		t.Fatalf("%d pages are in use", machine.out)
	}
}

// fileOf makes a file of a socket, as the kernel does.
func fileOf(i int) int32 {
	machine.open[int32(firstFile+i)] = 1
	return int32(firstFile + i)
}

// closeFile closes the descriptor.
func closeFile(file int32) { kernel.Release(file) }

// TestFilesInFiles passes sockets through sockets, to a depth that would not do as
// a recursion, and closes the first of them.
func TestFilesInFiles(t *testing.T) {
	startTest(t, MaxSockets)
	const depth = MaxSockets/2 - 1
	a, b, e := Pair(syscall.SOCK_STREAM, 0)
	if e != 0 {
		t.Fatal(e)
	}
	fa, fb := fileOf(a), fileOf(b)
	for range depth {
		c, d, e := Pair(syscall.SOCK_STREAM, 0)
		if e != 0 {
			t.Fatal(e)
		}
		fc, fd := fileOf(c), fileOf(d)
		for _, f := range [...]int32{fa, fb} {
			if n := sendFiles(c, []byte("x"), f); n != 1 {
				t.Fatalf("sending a file: %d", n)
			}
			closeFile(f)
		}
		fa, fb = fc, fd
	}
	closeFile(fa)
	closeFile(fb)
	if len(machine.open) != 0 {
		t.Errorf("%d files are open", len(machine.open))
	}
	settled(t)
}

// sendFiles is sendmsg with SCM_RIGHTS.
func sendFiles(s int, b []byte, files ...int32) int {
	fds := make([]int, len(files))
	for k, f := range files {
		fds[k] = int(f)
	}
	return sendmsg(s, b, syscall.UnixRights(fds...))
}

func sendmsg(s int, b, control []byte) int {
	iov := &syscall.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))}
	m := &syscall.Msghdr{Iov: iov, Iovlen: 1, Control: unsafe.SliceData(control), Controllen: uint64(len(control))}
	return Call(syscall.SYS_SENDMSG, s, false, &[6]uintptr{0, pin(m), 0})
}

func recvmsg(s int, b, control []byte, flags uintptr) (n int, used int, out int32) {
	iov := &syscall.Iovec{Base: unsafe.SliceData(b), Len: uint64(len(b))}
	m := &syscall.Msghdr{Iov: iov, Iovlen: 1, Control: unsafe.SliceData(control), Controllen: uint64(len(control))}
	n = Call(syscall.SYS_RECVMSG, s, false, &[6]uintptr{0, pin(m), flags})
	return n, int(m.Controllen), m.Flags
}

// pinned keeps what calls are given by address on the heap, where it does not move.
var pinned any

func pin[T any](p *T) uintptr {
	pinned = p
	return uintptr(unsafe.Pointer(p))
}

func TestRights(t *testing.T) {
	for _, test := range []struct {
		name       string
		send, room int // files, and the room there is for them
		want       int
		flags      uintptr
		truncated  bool
		left       int // references to each file afterwards
	}{
		{name: "one", send: 1, room: 1, want: 1, left: 2},
		{name: "many", send: maxRights, room: maxRights, want: maxRights, left: 2},
		{name: "no room", send: 3, room: 0, want: 0, truncated: true, left: 1},
		{name: "peek", send: 1, room: 1, want: 1, flags: syscall.MSG_PEEK, left: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, typ := range [...]uintptr{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
				startTest(t, 64)
				a, b, e := Pair(typ, 0)
				if e != 0 {
					t.Fatal(e)
				}
				files := make([]int32, test.send)
				for k := range files {
					files[k] = int32(k) + 3
					machine.open[files[k]] = 1
				}
				if n := sendFiles(a, []byte("hello"), files...); n != 5 {
					t.Fatalf("send: %d", n)
				}
				control := make([]byte, 4096)
				room := 0
				if test.room > 0 {
					room = syscall.CmsgSpace(4 * test.room)
				}
				buf := make([]byte, 10)
				n, used, out := recvmsg(b, buf, control[:room], test.flags)
				if n != 5 || string(buf[:n]) != "hello" {
					t.Fatalf("receive: %d %q", n, buf)
				}
				if truncated := out&syscall.MSG_CTRUNC != 0; truncated != test.truncated {
					t.Errorf("flags are %#x", out)
				}
				got := 0
				msgs, err := syscall.ParseSocketControlMessage(control[:used])
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range msgs {
					fds, err := syscall.ParseUnixRights(&m)
					if err != nil {
						t.Fatal(err)
					}
					got += len(fds)
				}
				if got != test.want {
					t.Errorf("got %d files, want %d", got, test.want)
				}
				for _, f := range files {
					if machine.open[f] != test.left {
						t.Fatalf("file %d has %d references, want %d", f, machine.open[f], test.left)
					}
				}
				settled(t)
			}
		})
	}
}

// TestUnread closes a socket that has not read everything, of which its peer is
// told. Whether an empty packet alone counts differs between versions of Linux: it
// does not since consumed out-of-band bytes, which are empty too, do not (6.16).
func TestUnread(t *testing.T) {
	for _, test := range []struct {
		name   string
		unread []string
		want   uint32
	}{
		{name: "nothing", want: 0},
		{name: "a packet", unread: []string{"x"}, want: uint32(syscall.ECONNRESET)},
		{name: "an empty packet", unread: []string{""}, want: 0},
		{name: "an empty packet and another", unread: []string{"", "x"}, want: uint32(syscall.ECONNRESET)},
		{name: "two empty packets", unread: []string{"", ""}, want: uint32(syscall.ECONNRESET)},
	} {
		t.Run(test.name, func(t *testing.T) {
			startTest(t, 64)
			a, b, e := Pair(syscall.SOCK_SEQPACKET, 0)
			if e != 0 {
				t.Fatal(e)
			}
			for _, text := range test.unread {
				if n := sendmsg(a, []byte(text), nil); n != len(text) {
					t.Fatalf("send: %d", n)
				}
			}
			Close(b)
			got, size := new(uint32), new(uint32)
			*size = 4
			if n := Call(syscall.SYS_GETSOCKOPT, a, false, &[6]uintptr{0, syscall.SOL_SOCKET, syscall.SO_ERROR, pin(got), pin(size)}); n != 0 {
				t.Fatalf("getsockopt: %d", n)
			}
			if *got != test.want {
				t.Errorf("the error is %d, want %d", *got, test.want)
			}
			settled(t)
		})
	}
}

// TestNoMemory lets each page there is be the last one.
func TestNoMemory(t *testing.T) {
	for pages := 1; pages < 8; pages++ {
		for _, typ := range [...]uintptr{syscall.SOCK_STREAM, syscall.SOCK_DGRAM} {
			startTest(t, pages)
			a, b, _ := Pair(typ, 0)
			data := make([]byte, 5*PageSize)
			n := Call(syscall.SYS_WRITE, a, false, &[6]uintptr{0, pin(&data[0]), uintptr(len(data))})
			got := Call(syscall.SYS_READ, b, false, &[6]uintptr{0, pin(&data[0]), uintptr(len(data))})
			if n < 0 && (n != fail(syscall.ENOBUFS) || got != fail(syscall.EAGAIN)) || n >= 0 && got != n {
				t.Errorf("%d pages: written %d, read %d", pages, n, got)
			}
			settled(t)
		}
	}
}

// TestRoom fills queues and checks that whoever got EAGAIN hears of room.
func TestRoom(t *testing.T) {
	for _, typ := range [...]uintptr{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		startTest(t, 1024)
		a, b, _ := Pair(typ, 0)
		data := make([]byte, 10000)
		sent, received := 0, 0
		for {
			n := Call(syscall.SYS_WRITE, a, false, &[6]uintptr{0, pin(&data[0]), uintptr(len(data))})
			if n == fail(syscall.EAGAIN) {
				break
			}
			if n <= 0 {
				t.Fatalf("write: %d", n)
			}
			sent += n
		}
		if sent < 64<<10 {
			t.Errorf("kind %d: room for %d bytes only", typ, sent)
		}
		if Readiness(a)&syscall.EPOLLOUT != 0 {
			t.Errorf("kind %d: a full one is writable", typ)
		}
		for machine.events[a] = 0; machine.events[a]&syscall.EPOLLOUT == 0; {
			n := Call(syscall.SYS_READ, b, false, &[6]uintptr{0, pin(&data[0]), uintptr(len(data))})
			if n <= 0 {
				t.Fatalf("kind %d: no word of room after %d of %d bytes: %d", typ, received, sent, n)
			}
			received += n
		}
		if Readiness(a)&syscall.EPOLLOUT == 0 {
			t.Errorf("kind %d: notified, but not writable", typ)
		}
		settled(t)
	}
}
