package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// descriptor is one of a kind, with what keeps it usable.
type descriptor struct {
	fd   int
	also []int
}

func (d descriptor) close() {
	unix.Close(d.fd)
	for _, fd := range d.also {
		unix.Close(fd)
	}
}

// content is what files, pipes and sockets have to be read.
const content = "some bytes to move"

// kinds make descriptors of all kinds, none of which waits.
var kinds = []struct {
	name string
	make func() descriptor
}{
	{"file", func() descriptor { return file(unix.O_RDWR) }},
	{"file to read", func() descriptor { return file(unix.O_RDONLY) }},
	{"file to write", func() descriptor { return file(unix.O_WRONLY) }},
	{"file to append to", func() descriptor { return file(unix.O_RDWR | unix.O_APPEND) }},
	{"file by O_PATH", func() descriptor { return file(unix.O_PATH) }},
	{"folder", func() descriptor { return descriptor{fd: must(unix.Open(dir, unix.O_RDONLY, 0))} }},
	{"null", func() descriptor { return descriptor{fd: must(unix.Open("/dev/null", unix.O_RDWR, 0))} }},
	{"end to read", func() descriptor { r, w := pipe(content); return descriptor{r, []int{w}} }},
	{"end to read, empty", func() descriptor { r, w := pipe(""); return descriptor{r, []int{w}} }},
	{"end to read, at the end", func() descriptor { r, w := pipe(""); unix.Close(w); return descriptor{fd: r} }},
	{"end to write", func() descriptor { r, w := pipe(content); return descriptor{w, []int{r}} }},
	{"end to write, full", func() descriptor { r, w := pipe(string(make([]byte, 1<<16))); return descriptor{w, []int{r}} }},
	{"end to write, broken", func() descriptor { r, w := pipe(""); unix.Close(r); return descriptor{fd: w} }},
	{"stream", func() descriptor { a, b := pair(unix.SOCK_STREAM, content); return descriptor{a, []int{b}} }},
	{"stream, empty", func() descriptor { a, b := pair(unix.SOCK_STREAM, ""); return descriptor{a, []int{b}} }},
	{"stream, closed", func() descriptor { a, b := pair(unix.SOCK_STREAM, ""); unix.Close(b); return descriptor{fd: a} }},
	{"packets", func() descriptor { a, b := pair(unix.SOCK_SEQPACKET, content); return descriptor{a, []int{b}} }},
	{"TCP", func() descriptor { a, b := connection(content); return descriptor{a, []int{b}} }},
	{"TCP, empty", func() descriptor { a, b := connection(""); return descriptor{a, []int{b}} }},
	{"TCP, new", func() descriptor {
		return descriptor{fd: must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0))}
	}},
	{"TCP, listening", func() descriptor { return descriptor{fd: listener()} }},
	{"UDP", func() descriptor {
		return descriptor{fd: must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0))}
	}},
	{"event", func() descriptor { return descriptor{fd: must(unix.Eventfd(3, unix.EFD_NONBLOCK))} }},
	{"event, empty", func() descriptor { return descriptor{fd: must(unix.Eventfd(0, unix.EFD_NONBLOCK))} }},
	{"timer", func() descriptor { return descriptor{fd: timer(0)} }},
	{"timer, run out", func() descriptor { return descriptor{fd: timer(1)} }},
	{"epoll", func() descriptor { return descriptor{fd: must(unix.EpollCreate1(0))} }},
	{"inotify", func() descriptor {
		fd := must(unix.InotifyInit1(unix.IN_NONBLOCK))
		must(unix.InotifyAddWatch(fd, dir, unix.IN_OPEN))
		unix.Close(must(unix.Open(dir, unix.O_RDONLY, 0)))
		return descriptor{fd: fd}
	}},
	{"inotify, empty", func() descriptor { return descriptor{fd: must(unix.InotifyInit1(unix.IN_NONBLOCK))} }},
	{"none", func() descriptor { return descriptor{fd: -1} }},
}

// timer is one that is not set, or has run out.
func timer(ns int64) int {
	fd := must(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(ns)}, nil); err != nil {
		panic(err)
	}
	if ns != 0 {
		must(untilDone(func() (int, error) { return unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1) }))
	}
	return fd
}

func file(flags int) descriptor {
	name := filepath.Join(dir, "file")
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		panic(err)
	}
	return descriptor{fd: must(unix.Open(name, flags, 0))}
}

// pipe returns the ends of a pipe with something in it.
func pipe(has string) (r, w int) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK); err != nil {
		panic(err)
	}
	for n := 0; n < len(has); {
		n += must(unix.Write(fds[1], []byte(has)[n:]))
	}
	return fds[0], fds[1]
}

// pair returns two connected sockets, the first of which has something to read.
func pair(typ int, has string) (a, b int) {
	fds := must(unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_NONBLOCK, 0))
	if has != "" {
		must(unix.Write(fds[1], []byte(has)))
	}
	return fds[0], fds[1]
}

func listener() int {
	l := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	for _, err := range []error{unix.Bind(l, loopback), unix.Listen(l, 1)} {
		if err != nil {
			panic(err)
		}
	}
	return l
}

// connection is a pair of TCP sockets on the loopback interface.
func connection(has string) (a, b int) {
	l := listener()
	defer unix.Close(l)
	b = must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	if err := unix.Connect(b, must(unix.Getsockname(l))); err != nil {
		panic(err)
	}
	a, _, err := unix.Accept(l)
	if err != nil {
		panic(err)
	}
	if has != "" {
		must(unix.Write(b, []byte(has)))
		// It is there when it can be seen.
		must(1, second(unix.Recvfrom(a, make([]byte, len(has)), unix.MSG_PEEK|unix.MSG_WAITALL)))
	}
	for _, fd := range []int{a, b} {
		if err := unix.SetNonblock(fd, true); err != nil {
			panic(err)
		}
	}
	return a, b
}

func second[A, B any](_ A, _ B, err error) error { return err }
