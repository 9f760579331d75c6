package main

import (
	"bytes"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// vectors reads and writes every kind of descriptor in pieces.
func vectors() {
	pieces := func(sizes ...int) (all [][]byte) {
		for i, n := range sizes {
			all = append(all, bytes.Repeat([]byte{byte('A' + i)}, n))
		}
		return all
	}
	for _, call := range []struct {
		name string
		make func(fd int, p [][]byte) (int, error)
	}{
		{"readv", unix.Readv},
		{"writev", unix.Writev},
		{"preadv at 2", func(fd int, p [][]byte) (int, error) { return unix.Preadv(fd, p, 2) }},
		{"pwritev at 2", func(fd int, p [][]byte) (int, error) { return unix.Pwritev(fd, p, 2) }},
		{"preadv at -1", func(fd int, p [][]byte) (int, error) { return unix.Preadv(fd, p, -1) }},
		{"preadv2 at -1", func(fd int, p [][]byte) (int, error) { return unix.Preadv2(fd, p, -1, 0) }},
		{"pwritev2 at -1", func(fd int, p [][]byte) (int, error) { return unix.Pwritev2(fd, p, -1, 0) }},
		{"preadv2 at 2", func(fd int, p [][]byte) (int, error) { return unix.Preadv2(fd, p, 2, 0) }},
		{"vmsplice", func(fd int, p [][]byte) (int, error) {
			var v []unix.Iovec
			for i := range p {
				e := unix.Iovec{Base: unsafe.SliceData(p[i])}
				e.SetLen(len(p[i]))
				v = append(v, e)
			}
			return unix.Vmsplice(fd, v, unix.SPLICE_F_NONBLOCK)
		}},
	} {
		for _, sizes := range [][]int{{3, 4}, {8, 0, 9}, {100, 5}} {
			for _, k := range kinds {
				d := k.make()
				p := pieces(sizes...)
				n, err := call.make(d.fd, p)
				say(fmt.Sprintf("%s(%s, %v), then at %s", call.name, k.name, sizes, position(d.fd)), fmt.Sprintf("%d %q", n, p), err)
				d.close()
			}
		}
	}
	fd := file(unix.O_RDWR).fd
	for _, flags := range []int{1, 2, 4, 1 << 20, -1} {
		n, err := unix.Pwritev2(fd, pieces(2), 0, flags)
		say(fmt.Sprint("pwritev2 with flags ", flags), n, err)
	}
	for _, n := range []uintptr{0, 1025} {
		for _, nr := range []uintptr{unix.SYS_READV, unix.SYS_WRITEV} {
			r, _, e := unix.Syscall(nr, uintptr(fd), 8, n)
			say(fmt.Sprintf("%d with %d pieces", nr, n), int(r), e)
		}
	}
	// Pieces of up to PIPE_BUF are written as one, or not at all.
	_, w := pipe(string(make([]byte, 1<<16-4096)))
	for _, sizes := range [][]int{{1}, {2000, 2096}, {2000, 2095}, {3000, 3000}, {1}} {
		n, err := unix.Writev(w, pieces(sizes...))
		say(fmt.Sprint("writev to a pipe that is nearly full, ", sizes), n, err)
	}
}
