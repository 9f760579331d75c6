package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readiness asks poll, select and epoll about every kind of descriptor.
func readiness() {
	const readNormal, readBand, writeNormal = 0x40, 0x80, 0x100
	const all = unix.POLLIN | unix.POLLPRI | unix.POLLOUT | readNormal | readBand | writeNormal | unix.POLLRDHUP
	for _, k := range kinds {
		d := k.make()
		for _, events := range []int16{all, unix.POLLIN, unix.POLLOUT, 0} {
			fds := []unix.PollFd{{Fd: int32(d.fd), Events: events}, {Fd: int32(d.fd)}, {Fd: -1, Events: events}}
			n, err := unix.Poll(fds, 0)
			say(fmt.Sprintf("poll(%s, %#x)", k.name, events), fmt.Sprint(n, answers(fds)), err)
		}
		if d.fd >= 0 {
			var in, out, except unix.FdSet
			for _, s := range []*unix.FdSet{&in, &out, &except} {
				s.Set(d.fd)
			}
			n, err := unix.Select(d.fd+1, &in, &out, &except, &unix.Timeval{})
			say("select("+k.name+")", fmt.Sprint(n, in.IsSet(d.fd), out.IsSet(d.fd), except.IsSet(d.fd)), err)
		}
		ep := must(unix.EpollCreate1(0))
		err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, d.fd, &unix.EpollEvent{Events: all})
		events := make([]unix.EpollEvent, 2)
		n, _ := unix.EpollWait(ep, events, 0)
		say("epoll_wait("+k.name+")", fmt.Sprintf("%d %#x", n, events[0].Events), err)
		unix.Close(ep)
		d.close()
	}
}

func answers(fds []unix.PollFd) (s string) {
	for _, f := range fds {
		s += fmt.Sprintf(" %#x", f.Revents)
	}
	return s
}

// pollArguments are calls with odd arguments.
func pollArguments() {
	r, w := pipe("")
	fds := []unix.PollFd{{Fd: int32(r), Events: unix.POLLIN}}
	for _, ms := range []int{0, 1} {
		n, err := unix.Poll(fds, ms)
		say(fmt.Sprintf("poll for %d ms", ms), fmt.Sprint(n, answers(fds)), err)
		n, err = unix.Poll(nil, ms)
		say(fmt.Sprintf("poll of nothing for %d ms", ms), n, err)
	}
	_, _, wild := unix.Syscall(unix.SYS_POLL, 8, 1, 0)
	say("poll at a wild address", "", wild)
	for _, ts := range []unix.Timespec{{Nsec: 2e6}, {}, {Nsec: 1e9}, {Sec: -1}, {Nsec: -1}} {
		before := ts
		n, err := unix.Ppoll(fds, &ts, nil)
		say(fmt.Sprint("ppoll ", before), fmt.Sprint(n, ts), err)
	}
	_, _, short := unix.Syscall6(unix.SYS_PPOLL, 0, 0, 0, uintptr(unsafe.Pointer(&unix.Sigset_t{})), 4, 0)
	say("ppoll with a short mask", "", short)
	for _, tv := range []unix.Timeval{{Usec: 2000}, {}, {Usec: -1}, {Sec: -1}} {
		before := tv
		var in unix.FdSet
		in.Set(r)
		n, err := unix.Select(r+1, &in, nil, nil, &tv)
		say(fmt.Sprint("select ", before), fmt.Sprint(n, in.IsSet(r), tv), err)
	}
	var in unix.FdSet
	in.Set(w)
	tv := unix.Timeval{Sec: 5}
	n, _, e := unix.Syscall6(unix.SYS_SELECT, uintptr(w+1), 0, uintptr(unsafe.Pointer(&in)), 0, uintptr(unsafe.Pointer(&tv)), 0)
	say("select, as it is", fmt.Sprint(n, in.IsSet(w), tv.Sec > 0), e)
	in.Set(r)
	in.Clear(w)
	tv = unix.Timeval{Usec: 500}
	n, _, e = unix.Syscall6(unix.SYS_SELECT, uintptr(r+1), uintptr(unsafe.Pointer(&in)), 0, 0, uintptr(unsafe.Pointer(&tv)), 0)
	say("select, as it is, to the end", fmt.Sprint(n, in.IsSet(r), tv), e)
	in.Set(60)
	got, err := unix.Select(61, &in, nil, nil, &unix.Timeval{})
	say("select of what is not open", fmt.Sprint(got, in.IsSet(60)), err)
	got, err = unix.Select(60, &in, nil, nil, &unix.Timeval{})
	say("select of less", fmt.Sprint(got, in.IsSet(60)), err)
	got, err = unix.Select(-1, &in, nil, nil, &unix.Timeval{})
	say("select of -1", got, err)
	ts := unix.Timespec{Nsec: 1e6}
	in.Zero()
	in.Set(r)
	got, err = unix.Pselect(r+1, &in, nil, nil, &ts, nil)
	say("pselect", fmt.Sprint(got, in.IsSet(r), ts), err)
	unix.Close(r)
	unix.Close(w)
}

// waiting polls until another thread does something.
func waiting() {
	for _, k := range []struct {
		name string
		make func() (a, b int)
	}{
		{"pipe", func() (int, int) { return pipe("") }},
		{"stream", func() (int, int) { return pair(unix.SOCK_STREAM, "") }},
		{"TCP", func() (int, int) { return connection("") }},
		{"event", func() (int, int) { e := must(unix.Eventfd(0, 0)); return e, must(unix.Dup(e)) }},
		{"epoll", func() (int, int) {
			r, w := pipe("")
			ep := must(unix.EpollCreate1(0))
			if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, r, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
				panic(err)
			}
			return ep, w
		}},
	} {
		a, b := k.make()
		soon := func() {
			time.Sleep(2 * time.Millisecond)
			must(unix.Write(b, []byte("12345678")))
		}
		go soon()
		fds := []unix.PollFd{{Fd: int32(a), Events: unix.POLLIN}, {Fd: int32(a), Events: unix.POLLPRI}}
		n, err := untilDone(func() (int, error) { return unix.Poll(fds, -1) })
		say("poll of a "+k.name, fmt.Sprint(n, answers(fds)), err)
		unix.Read(a, make([]byte, 8))
		n, err = unix.Poll(fds[:1], 0)
		say("poll of a "+k.name+" that was read", fmt.Sprint(n, answers(fds[:1])), err)
		if k.name != "epoll" {
			go soon()
			var in unix.FdSet
			n, err = untilDone(func() (int, error) {
				in.Set(a)
				return unix.Select(a+1, &in, nil, nil, nil)
			})
			say("select of a "+k.name, fmt.Sprint(n, in.IsSet(a)), err)
		}
		unix.Close(b)
		unix.Close(a)
	}
}

// drained polls sockets of which everything was taken that was there, and one that is
// full.
func drained() {
	now := func(what string, fd int) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT}}
		n, err := unix.Poll(fds, 0)
		say("poll of "+what, fmt.Sprint(n, answers(fds)), err)
	}
	await := func(fd int, events int16) {
		must(untilDone(func() (int, error) { return unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, -1) }))
	}
	l := listener()
	c := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	must(0, unix.Connect(c, must(unix.Getsockname(l))))
	await(l, unix.POLLIN)
	now("a listener with a connection", l)
	a, _, err := unix.Accept(l)
	must(a, err)
	now("a listener without", l)
	must(unix.Write(c, []byte("1234")))
	await(a, unix.POLLIN)
	must(unix.Read(a, make([]byte, 3)))
	now("a stream with a byte left", a)
	must(unix.Read(a, make([]byte, 3)))
	now("a stream with none", a)
	must(0, unix.SetNonblock(c, true))
	for full := false; !full; {
		_, err := unix.Write(c, make([]byte, 1<<20))
		full = err == unix.EAGAIN
	}
	now("a stream that is full", c)
	unix.Close(a)
	unix.Close(c)
	unix.Close(l)

	u := must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
	must(0, unix.Bind(u, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	now("a datagram socket", u)
	self := must(unix.Getsockname(u))
	must(0, unix.Sendto(u, []byte("datagram"), 0, self))
	await(u, unix.POLLIN)
	now("one with a datagram", u)
	must(unix.Read(u, make([]byte, 3)))
	now("one without", u)
	unix.Close(u)
}

// untilDone makes a call again that a signal interrupted, as the runtime's do.
func untilDone(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

// nests has epolls watch epolls.
func nests() {
	event := must(unix.Eventfd(0, unix.EFD_NONBLOCK))
	last := event
	var chain []int
	add := func(ep, fd int) error {
		return unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(chain))})
	}
	for i := range 7 {
		ep := must(unix.EpollCreate1(0))
		err := add(ep, last)
		say(fmt.Sprint("epoll in epoll, ", i), "", err)
		if err == nil {
			chain, last = append(chain, ep), ep
		}
	}
	say("epoll in itself", "", add(chain[0], chain[0]))
	say("epoll in a circle", "", add(chain[0], last))
	say("epoll in a small circle", "", add(chain[1], chain[2]))
	above := must(unix.EpollCreate1(0))
	below := must(unix.EpollCreate1(0))
	say("one below another", "", add(above, below))
	say("a chain below that", "", add(below, last))
	for _, count := range []string{"", "12345678", ""} {
		if count != "" {
			must(unix.Write(event, []byte(count)))
		}
		for i, ep := range chain {
			fds := []unix.PollFd{{Fd: int32(ep), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, 0)
			say(fmt.Sprint("poll of epoll ", i), fmt.Sprint(n, answers(fds)), err)
			events := make([]unix.EpollEvent, 2)
			n, err = unix.EpollWait(ep, events, 0)
			say(fmt.Sprint("epoll_wait ", i), fmt.Sprint(n, events[0].Fd, events[0].Events), err)
		}
		unix.Read(event, make([]byte, 8))
	}
	for _, ep := range append(chain, above, below, event) {
		unix.Close(ep)
	}
}

// masks lets a signal in that is blocked otherwise.
func masks() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	came := make(chan os.Signal, 1)
	signal.Notify(came, unix.SIGUSR1)
	defer signal.Stop(came)
	var usr1, before, none unix.Sigset_t
	usr1.Val[0] = 1 << (unix.SIGUSR1 - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &usr1, &before); err != nil {
		panic(err)
	}
	ep := must(unix.EpollCreate1(0))
	event := make([]unix.EpollEvent, 1)
	timeout := new(unix.Timespec)
	for _, call := range []struct {
		name string
		make func() (int, error)
	}{
		{"ppoll", func() (int, error) {
			_, _, e := unix.Syscall6(unix.SYS_PPOLL, 0, 0, uintptr(unsafe.Pointer(timeout)), uintptr(unsafe.Pointer(&none)), 8, 0)
			return 0, e
		}},
		{"pselect", func() (int, error) {
			type mask struct {
				set  *unix.Sigset_t
				size uintptr
			}
			_, _, e := unix.Syscall6(unix.SYS_PSELECT6, 0, 0, 0, 0, uintptr(unsafe.Pointer(timeout)), uintptr(unsafe.Pointer(&mask{&none, 8})))
			return 0, e
		}},
		{"epoll_pwait", func() (int, error) {
			_, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(&event[0])), 1, ^uintptr(0),
				uintptr(unsafe.Pointer(&none)), 8)
			return 0, e
		}},
	} {
		if err := unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGUSR1); err != nil {
			panic(err)
		}
		*timeout = unix.Timespec{Sec: 100_000}
		_, err := call.make()
		say(call.name+" that lets a signal in", timeout.Sec, err)
		say("the signal", <-came, nil)
		var now unix.Sigset_t
		err = unix.PthreadSigmask(unix.SIG_SETMASK, nil, &now)
		say("the mask is as before", now.Val[0] == before.Val[0]|usr1.Val[0], err)
	}
	unix.Close(ep)
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err != nil {
		panic(err)
	}
}
