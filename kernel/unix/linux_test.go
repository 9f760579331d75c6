package unix

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// twin makes every call on sockets of Linux's and here, and compares.
type twin struct {
	t      *testing.T
	random *rand.Rand
	fds    []int // Linux's
	own    []int // here
	sent   int
	trace  []string
}

func (w *twin) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *twin) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s; what came before:\n%s", fmt.Sprintf(format, args...), strings.Join(w.trace, "\n"))
}

// call makes a call on socket k. The arguments are the same for both, so what they
// point at is compared by whoever made them.
func (w *twin) call(what string, nr uintptr, k int, host, own [5]uintptr) int {
	w.t.Helper()
	r, _, e := syscall.RawSyscall6(nr, uintptr(w.fds[k]), host[0], host[1], host[2], host[3], host[4])
	want := int(r)
	if e != 0 {
		want = -int(e)
	}
	got := Call(nr, w.own[k], false, &[6]uintptr{0, own[0], own[1], own[2], own[3], own[4]})
	isSocket := (nr == syscall.SYS_ACCEPT4) && got >= 0 && want >= 0
	w.note("%s on %d: %v", what, k, describe(want, isSocket))
	if !isSocket && got != want {
		w.fail("%s on %d: %s, Linux says %s", what, k, describe(got, false), describe(want, false))
	}
	if isSocket {
		w.fds, w.own = append(w.fds, want), append(w.own, got)
	}
	return want
}

func describe(r int, isSocket bool) string {
	switch {
	case r < 0:
		return syscall.Errno(-r).Error()
	case isSocket:
		return "a socket"
	}
	return fmt.Sprint(r)
}

func (w *twin) socket(typ uintptr) {
	fd, err := syscall.Socket(syscall.AF_UNIX, int(typ)|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	i, e := Open(typ|syscall.SOCK_NONBLOCK, 0)
	if e != 0 {
		w.t.Fatal(e)
	}
	w.note("socket %d of kind %d", len(w.fds), typ)
	w.fds, w.own = append(w.fds, fd), append(w.own, i)
}

func (w *twin) pair(typ uintptr) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, int(typ)|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	a, b, e := Pair(typ|syscall.SOCK_NONBLOCK, 0)
	if e != 0 {
		w.t.Fatal(e)
	}
	w.note("sockets %d, %d are a pair of kind %d", len(w.fds), len(w.fds)+1, typ)
	w.fds, w.own = append(w.fds, fds[0], fds[1]), append(w.own, a, b)
}

// names are addresses to bind to and connect to; the last one is nobody's.
func (w *twin) name() (b []byte, text string) {
	n := w.random.IntN(6)
	name := fmt.Sprintf("path%d", n)
	if n%2 == 0 {
		name = fmt.Sprintf("\x00nuos %d abstract %d", os.Getpid(), n)
	}
	return append([]byte{syscall.AF_UNIX, 0}, name...), strings.Trim(name, "\x00")
}

func (w *twin) step() {
	k := 0
	if len(w.fds) > 0 {
		k = w.random.IntN(len(w.fds))
	}
	kinds := [...]uintptr{syscall.SOCK_STREAM, syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET}
	op := w.random.IntN(18)
	switch {
	case len(w.fds) < 3 || op == 0 && len(w.fds) < 12:
		if typ := kinds[w.random.IntN(3)]; w.random.IntN(2) == 0 {
			w.pair(typ)
		} else {
			w.socket(typ)
		}
	case op == 1:
		b, text := w.name()
		w.call("bind to "+text, syscall.SYS_BIND, k, args(pin(&b[0]), len(b)), args(pin(&b[0]), len(b)))
	case op == 2:
		w.call("listen", syscall.SYS_LISTEN, k, args(2), args(2))
	case op == 3 || op == 4:
		b, text := w.name()
		w.call("connect to "+text, syscall.SYS_CONNECT, k, args(pin(&b[0]), len(b)), args(pin(&b[0]), len(b)))
	case op == 5 || op == 6:
		w.named("accept", syscall.SYS_ACCEPT4, k, syscall.SOCK_NONBLOCK)
	case op == 7:
		w.named("getsockname", syscall.SYS_GETSOCKNAME, k, 0)
	case op == 8:
		w.named("getpeername", syscall.SYS_GETPEERNAME, k, 0)
	case op == 9 && w.random.IntN(2) == 0:
		how := w.random.IntN(4)
		w.call(fmt.Sprintf("shutdown %d", how), syscall.SYS_SHUTDOWN, k, args(uintptr(how)), args(uintptr(how)))
	case op == 10 && w.random.IntN(2) == 0:
		if s := &sockets[w.own[k]]; s.kind == syscall.SOCK_SEQPACKET && s.first != 0 && !s.unread() {
			return // Linuxes differ, see TestUnread
		}
		w.note("close %d", k)
		syscall.Close(w.fds[k])
		Close(w.own[k])
		w.fds, w.own = append(w.fds[:k:k], w.fds[k+1:]...), append(w.own[:k:k], w.own[k+1:]...)
	case op == 15 || op == 16:
		w.batch(k, op == 15)
	case op == 17:
		w.burst(k)
	case op <= 12:
		data := make([]byte, w.random.IntN(500)+w.random.IntN(2)*w.random.IntN(8500))
		if w.sent += 2048 + 2*len(data); w.sent > 40<<10 {
			return // Linux counts what is queued in another way
		}
		for i := range data {
			data[i] = byte(w.random.Uint32())
		}
		data = append(data, 1)
		flags := uintptr(syscall.MSG_NOSIGNAL)
		name, size, text := uintptr(0), 0, "its peer"
		var b []byte
		if w.random.IntN(2) == 0 {
			b, text = w.name()
			name, size = pin(&b[0]), len(b)
		}
		a := args(pin(&data[0]), len(data)-1, flags, name, size)
		w.call(fmt.Sprintf("send %d bytes to %s", len(data)-1, text), syscall.SYS_SENDTO, k, a, a)
		runtime.KeepAlive(b)
	default:
		w.receive(k)
	}
	w.compareReadiness()
}

func args(list ...any) (a [5]uintptr) {
	for i, v := range list {
		switch v := v.(type) {
		case uintptr:
			a[i] = v
		case int:
			a[i] = uintptr(v)
		}
	}
	return a
}

// named makes a call that returns an address.
func (w *twin) named(what string, nr uintptr, k int, last uintptr) {
	w.t.Helper()
	room := uint32(w.random.IntN(130))
	var names [2][140]byte
	sizes := [2]uint32{room, room}
	r := w.call(what, nr, k, args(pin(&names[0]), pin(&sizes[0]), last), args(pin(&names[1]), pin(&sizes[1]), last))
	if r >= 0 && (names[0] != names[1] || sizes[0] != sizes[1]) {
		w.fail("%s gives %q (%d), Linux says %q (%d)", what, names[1][:], sizes[1], names[0][:], sizes[0])
	}
}

func (w *twin) receive(k int) {
	var data [2][10000]byte
	n := w.random.IntN(9500)
	flags := [...]uintptr{0, syscall.MSG_CMSG_CLOEXEC, syscall.MSG_PEEK, syscall.MSG_TRUNC}[w.random.IntN(4)]
	if flags == syscall.MSG_TRUNC {
		if typ, _ := syscall.GetsockoptInt(w.fds[k], syscall.SOL_SOCKET, syscall.SO_TYPE); typ == syscall.SOCK_STREAM {
			flags = 0
		}
	}
	var names [2][140]byte
	var iovs [2]syscall.Iovec
	var msgs [2]syscall.Msghdr
	for i := range msgs {
		iovs[i] = syscall.Iovec{Base: &data[i][0], Len: uint64(n)}
		msgs[i] = syscall.Msghdr{Name: &names[i][0], Namelen: 120, Iov: &iovs[i], Iovlen: 1}
	}
	r := w.call(fmt.Sprintf("receive %d bytes with flags %#x", n, flags), syscall.SYS_RECVMSG, k,
		args(pin(&msgs[0]), flags), args(pin(&msgs[1]), flags))
	if r < 0 {
		return
	}
	if !bytes.Equal(data[0][:], data[1][:]) {
		w.fail("other bytes were received")
	}
	if r > 0 && (msgs[0].Flags != msgs[1].Flags || msgs[0].Namelen != msgs[1].Namelen || names[0] != names[1]) {
		w.fail("flags %#x and name %.30q (%d), Linux says %#x and %.30q (%d)", msgs[1].Flags, names[1][:], msgs[1].Namelen,
			msgs[0].Flags, names[0][:], msgs[0].Namelen)
	}
}

// burst sends small messages to one place until it takes no more.
func (w *twin) burst(k int) {
	b, text := w.name()
	name, size := pin(&b[0]), len(b)
	if w.random.IntN(2) == 0 {
		name, size, text = 0, 0, "its peer"
	}
	for n := range MaxQueue + 2 {
		if w.sent += 2048; w.sent > 40<<10 {
			break // as for single messages
		}
		data := [1]byte{byte(n)}
		a := args(pin(&data[0]), len(data), syscall.MSG_NOSIGNAL, name, size)
		if w.call("send a byte to "+text, syscall.SYS_SENDTO, k, a, a) < 0 {
			break
		}
	}
	runtime.KeepAlive(b)
}

// mmsghdr is what sendmmsg and recvmmsg take an array of.
type mmsghdr struct {
	syscall.Msghdr
	length uint32
}

// batch sends or receives several messages in one call.
func (w *twin) batch(k int, send bool) {
	const most = 4
	n := w.random.IntN(most + 1)
	var vecs [2][most]mmsghdr
	var data [2][most][3000]byte
	var names [2][most][140]byte
	var iovs [2][most]syscall.Iovec
	for j := range n {
		size := w.random.IntN(3000)
		name := []byte(nil)
		if send {
			w.sent += 2048 + 2*size
			for at := range size {
				data[0][j][at] = byte(w.random.Uint32())
			}
			data[1][j] = data[0][j]
			if w.random.IntN(2) == 0 {
				name, _ = w.name()
			}
		}
		for i := range vecs {
			iovs[i][j] = syscall.Iovec{Base: &data[i][j][0], Len: uint64(size)}
			m := &vecs[i][j].Msghdr
			*m = syscall.Msghdr{Name: &names[i][j][0], Namelen: 120, Iov: &iovs[i][j], Iovlen: 1}
			if send {
				m.Namelen = uint32(copy(names[i][j][:], name))
			}
		}
	}
	if w.sent > 40<<10 {
		return // as for single messages
	}
	flags := [...]uintptr{0, 0, syscall.MSG_PEEK, msgWaitForOne}[w.random.IntN(4)]
	what, nr := fmt.Sprintf("receive %d messages with flags %#x", n, flags), uintptr(syscall.SYS_RECVMMSG)
	if send {
		flags = syscall.MSG_NOSIGNAL
		what, nr = fmt.Sprintf("send %d messages", n), sysSendmmsg
	}
	r := w.call(what, nr, k, args(pin(&vecs[0]), n, flags), args(pin(&vecs[1]), n, flags))
	for j := range max(r, 0) {
		want, got := &vecs[0][j], &vecs[1][j]
		if got.length != want.length || data[1][j] != data[0][j] {
			w.fail("message %d has %d bytes, Linux says %d; or others", j, got.length, want.length)
		}
		if want.length > 0 && (got.Flags != want.Flags || got.Namelen != want.Namelen || names[1][j] != names[0][j]) {
			w.fail("message %d has flags %#x and name %.30q (%d), Linux says %#x and %.30q (%d)", j,
				got.Flags, names[1][j][:], got.Namelen, want.Flags, names[0][j][:], want.Namelen)
		}
	}
}

type pollFD struct {
	fd              int32
	events, revents int16
}

func (w *twin) compareReadiness() {
	w.t.Helper()
	const all = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	for k, fd := range w.fds {
		p := pollFD{fd: int32(fd), events: all}
		syscall.RawSyscall(syscall.SYS_POLL, uintptr(unsafe.Pointer(&p)), 1, 0)
		if got, want := Readiness(w.own[k])&all, uint32(p.revents)&all; got != want {
			w.fail("socket %d is ready for %#x, Linux says %#x", k, got, want)
		}
	}
}

// TestAgainstLinux makes random calls.
func TestAgainstLinux(t *testing.T) {
	t.Chdir(t.TempDir())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	startTest(t, 4096)
	for range rounds {
		w := &twin{t: t, random: random}
		for range 60 {
			w.step()
		}
		for k, fd := range w.fds {
			syscall.Close(fd)
			Close(w.own[k])
		}
		settled(t)
		for path := range machine.nodes {
			os.Remove(path)
		}
		clear(machine.nodes)
	}
}
