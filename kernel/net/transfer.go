package net

import (
	"encoding/binary"
	"syscall"

	"nuos/kernel"
)

// transfer is one read or write of any kind. Handler context.
type transfer struct {
	data  pieces
	total uintptr // bytes the pieces have
	flags uintptr // MSG_...

	token kernel.Token // sending: names the call if it waits

	name, nameSize uintptr // sending: a struct sockaddr, or 0
	nameSizeAt     uintptr // receiving: where its size goes
	truncated      bool    // receiving: the datagram was longer
	control        control
}

const (
	epollIn    = 0x1
	epollOut   = 0x4
	epollErr   = 0x8
	epollHup   = 0x10
	epollRdHup = 0x2000
)

// goodFlags are those of send and recv that are understood or make no
// difference; MSG_OOB and MSG_ERRQUEUE are not among them.
const goodFlags = syscall.MSG_PEEK | syscall.MSG_TRUNC | syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL |
	syscall.MSG_WAITALL | syscall.MSG_CMSG_CLOEXEC | msgMore
const msgMore = 0x8000

func (s *socket) vector(i int, vec, n uintptr, sending bool, token kernel.Token) int {
	p, total, e := manyPieces(vec, n)
	if e != 0 {
		return fail(e)
	}
	if sending {
		return s.send(i, &transfer{data: p, total: total, token: token})
	}
	return s.receive(i, &transfer{data: p, total: total})
}

// sendMessage also says whether the whole message was sent.
func (s *socket) sendMessage(i int, addr, flags uintptr, token kernel.Token) (n int, whole bool) {
	m, e := messageAt(addr)
	if e != 0 {
		return fail(e), false
	}
	t := &transfer{data: m.data, total: m.total, flags: flags, name: m.name, nameSize: m.nameSize, token: token}
	if m.control != 0 {
		t.control = control{at: m.control, room: m.controlSize}
	}
	n = s.send(i, t)
	return n, n == int(m.total)
}

func (s *socket) receiveMessage(i int, addr, flags uintptr) int {
	m, e := messageAt(addr)
	if e != 0 {
		return fail(e)
	}
	t := &transfer{data: m.data, total: m.total, flags: flags, name: m.name, nameSizeAt: m.at + msghdrNameSize}
	t.control = control{at: m.control, room: m.controlSize}
	n := s.receive(i, t)
	if n < 0 {
		return n
	}
	out := uint32(flags & syscall.MSG_CMSG_CLOEXEC) // Linux gives it back
	if t.truncated {
		out |= syscall.MSG_TRUNC
	}
	if t.control.truncated {
		out |= syscall.MSG_CTRUNC
	}
	if s.stream && m.name != 0 {
		putWord(m.at+msghdrNameSize, 0)
	}
	if !putWord(m.at+msghdrControl, uint32(t.control.used)) || !putWord(m.at+msghdrControl+4, 0) || !putWord(m.at+msghdrFlags, out) {
		return fail(syscall.EFAULT)
	}
	return n
}

func (s *socket) send(i int, t *transfer) int {
	if t.flags&^goodFlags != 0 {
		return fail(syscall.EOPNOTSUPP)
	}
	if s.stream {
		return s.sendStream(i, t)
	}
	return s.sendDatagram(i, t)
}

func (s *socket) receive(i int, t *transfer) int {
	if t.flags&^goodFlags != 0 {
		return fail(syscall.EOPNOTSUPP)
	}
	if s.stream {
		return s.receiveStream(i, t)
	}
	return s.receiveDatagram(i, t)
}

func (s *socket) sendStream(i int, t *transfer) int {
	if e := s.err.Swap(0); e != 0 {
		return -int(e)
	}
	switch st := s.state.Load(); {
	case s.outShut.Load():
		return fail(syscall.EPIPE)
	case st == stateConnecting:
		s.wantOut.Store(true)
		return fail(syscall.EAGAIN)
	case st != stateReady:
		return fail(syscall.EPIPE) // as Linux: there is no connection to write to
	}
	if t.total == 0 {
		return 0
	}
	room := s.tx.free()
	for room == 0 {
		kernel.ClearReady(i, epollOut)
		s.wantOut.Store(true)
		if room = s.tx.free(); room == 0 {
			return fail(syscall.EAGAIN)
		}
		s.wantOut.Store(false)
	}
	tail := s.tx.tail.Load()
	n, ok := t.data.fill(&s.tx, tail, uint32(min(t.total, uintptr(room))))
	if !ok && n == 0 {
		return fail(syscall.EFAULT)
	}
	s.tx.tail.Store(tail + n)
	attend(i)
	return int(n)
}

func (s *socket) receiveStream(i int, t *transfer) int {
	switch s.state.Load() {
	case stateReady:
	case stateConnecting:
		s.wantIn.Store(true)
		return fail(syscall.EAGAIN)
	default:
		return s.takeError(syscall.ENOTCONN)
	}
	if t.total == 0 {
		return 0
	}
	have := s.rx.used()
	for have == 0 {
		// The order matters: the pump stores bytes, then eof or err. Having
		// seen one of those, there may be bytes before it.
		over, failed := s.eof.Load(), s.err.Load() != 0
		if have = s.rx.used(); have != 0 {
			break
		}
		if failed {
			return -int(s.err.Swap(0))
		}
		if over || s.inShut.Load() {
			return 0
		}
		kernel.ClearReady(i, epollIn)
		s.wantIn.Store(true)
		if s.rx.used() == 0 && !s.eof.Load() && s.err.Load() == 0 {
			return fail(syscall.EAGAIN)
		}
		s.wantIn.Store(false)
	}
	head := s.rx.head.Load()
	n, ok := t.data.empty(&s.rx, head, uint32(min(t.total, uintptr(have))))
	if !ok && n == 0 {
		return fail(syscall.EFAULT)
	}
	if t.flags&syscall.MSG_PEEK == 0 {
		s.rx.head.Store(head + n)
		s.madeRoom(i)
	}
	return int(n)
}

// madeRoom tells the pump, if it waits for that, that half of the receiving
// ring is free.
func (s *socket) madeRoom(i int) {
	if s.rxFull.Load() && s.rx.used() <= s.rx.size/2 && s.rxFull.Swap(false) {
		attend(i)
	}
}

// accept hands out the oldest accepted socket.
func (s *socket) accept(i int, addr, sizeAt uintptr) int {
	if s.state.Load() != stateListening || s.inShut.Load() {
		return fail(syscall.EINVAL)
	}
	for s.rx.used() == 0 {
		kernel.ClearReady(i, epollIn)
		s.wantIn.Store(true)
		if s.rx.used() == 0 {
			return fail(syscall.EAGAIN)
		}
		s.wantIn.Store(false)
	}
	var b [4]byte
	head := s.rx.head.Load()
	s.rx.get(head, b[:])
	n := int(binary.LittleEndian.Uint32(b[:]))
	if e := s.putSockaddr(sockets[n].peer.load(), addr, sizeAt); e != 0 {
		return fail(e)
	}
	s.rx.head.Store(head + 4)
	if s.rxFull.Load() && s.rxFull.Swap(false) {
		attend(i)
	}
	kernel.SetReady(n, epollOut)
	return n
}
