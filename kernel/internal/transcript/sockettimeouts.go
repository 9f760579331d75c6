package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// socketTimeouts has calls on sockets wait for no longer than they may.
func socketTimeouts() {
	names := map[int]string{unix.SO_RCVTIMEO: "SO_RCVTIMEO", unix.SO_SNDTIMEO: "SO_SNDTIMEO"}
	for _, k := range kinds {
		d := k.make()
		for _, name := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
			for _, tv := range []unix.Timeval{{Sec: 3, Usec: 500000}, {Usec: -1}, {Usec: 1e6}, {Sec: 1 << 20}, {}} {
				err := unix.SetsockoptTimeval(d.fd, unix.SOL_SOCKET, name, &tv)
				now, err2 := unix.GetsockoptTimeval(d.fd, unix.SOL_SOCKET, name)
				say(fmt.Sprintf("%s of %s: %v", names[name], k.name, tv), fmt.Sprint(now, err2), err)
			}
			say("  with a short value", "", unix.SetsockoptInt(d.fd, unix.SOL_SOCKET, name, 1))
		}
		d.close()
	}
	soon := unix.Timeval{Usec: 20000}
	limited := func(fd int) int {
		for name := range names {
			must(0, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, name, &soon))
		}
		return fd
	}
	for _, domain := range []int{unix.AF_UNIX, unix.AF_INET} {
		a, b := pair(unix.SOCK_STREAM, "")
		if domain == unix.AF_INET {
			a, b = connection("")
		}
		limited(a)
		n, err := untilDone(func() (int, error) { return unix.Read(a, make([]byte, 1)) })
		say("read of nothing", n, err)
		must(unix.Write(b, []byte("x")))
		must(untilDone(func() (int, error) { return unix.Poll([]unix.PollFd{{Fd: int32(a), Events: unix.POLLIN}}, -1) }))
		n, err = untilDone(func() (int, error) { return unix.Read(a, make([]byte, 2)) })
		say("read of a byte", n, err)
		for err == nil {
			_, err = untilDone(func() (int, error) { return unix.Write(a, make([]byte, 1<<20)) })
		}
		say("write to what is full", "", err)
		unix.Close(a)
		unix.Close(b)
	}
	u := limited(must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)))
	n, err := untilDone(func() (int, error) { return unix.Read(u, make([]byte, 1)) })
	say("read of no datagram", n, err)
	l := limited(listener())
	n, err = untilDone(func() (int, error) { n, _, err := unix.Accept(l); return n, err })
	say("accept of nobody", n, err)
	unix.Close(u)
	unix.Close(l)
}
