package net

import (
	"syscall"

	"nuos/kernel"
)

// Datagram sockets' side of system calls; their rings hold records. Handler context.

// toPeer is the address of datagrams that are for the peer. It has the form of
// IPv4, which makes for the shortest record.
var toPeer = from4(0, 0, 0, 0, 0)

// sendDatagram queues a datagram.
func (s *socket) sendDatagram(i int, t *transfer) int {
	if s.netlink {
		return s.sendNetlink(i, t)
	}
	if e := s.err.Swap(0); e != 0 {
		return -int(e)
	}
	if e := s.sendErr.Swap(0); e != 0 {
		return -int(e)
	}
	if s.outShut.Load() {
		return fail(syscall.EPIPE)
	}
	r := record{remote: toPeer}
	if t.name != 0 {
		var e syscall.Errno
		if r.remote, e = s.sockaddrAt(t.name, t.nameSize); e != 0 {
			return fail(e)
		}
		if s.portless() {
			r.remote.port = s.unnamedPort()
		}
		if r.remote.port == 0 {
			return fail(syscall.EINVAL)
		}
	}
	peer := r.remote
	if t.name == 0 {
		if peer = s.peer.load(); peer.port == 0 {
			return fail(syscall.EDESTADDRREQ)
		}
	}
	if e := t.control.load(s, &r, peer.is4()); e != 0 {
		return fail(e)
	}
	if t.name == 0 && !peer.is4() && r.local != (address{}) {
		r.remote = address{} // a record with room for local
	}
	if r.size = uint32(min(t.total, maxDatagram+1)); !r.fits() {
		return fail(syscall.EMSGSIZE)
	}
	for s.state.Load() != stateReady || s.tx.free() < r.total() {
		kernel.ClearReady(i, epollOut)
		s.wantOut.Store(true)
		if s.state.Load() != stateReady || s.tx.free() < r.total() {
			attend(i) // the pump brings the rings of a socket that is new
			return fail(syscall.EAGAIN)
		}
		s.wantOut.Store(false)
	}
	tail := s.tx.tail.Load()
	if n, ok := t.data.fill(&s.tx, tail+r.header(), r.size); !ok || n != r.size {
		return fail(syscall.EFAULT)
	}
	s.tx.putRecord(tail, &r)
	s.tx.tail.Store(tail + r.total())
	attend(i)
	return int(r.size)
}

func (s *socket) receiveDatagram(i int, t *transfer) int {
	for s.state.Load() != stateReady || s.rx.used() == 0 {
		if e := s.err.Swap(0); e != 0 {
			return -int(e)
		}
		if s.inShut.Load() {
			return 0
		}
		kernel.ClearReady(i, epollIn)
		s.wantIn.Store(true)
		if (s.state.Load() != stateReady || s.rx.used() == 0) && s.err.Load() == 0 {
			if s.state.Load() != stateReady {
				attend(i)
			}
			return fail(syscall.EAGAIN)
		}
		s.wantIn.Store(false)
	}
	head := s.rx.head.Load()
	r := s.rx.record(head)
	n, ok := t.data.empty(&s.rx, head+r.header(), uint32(min(t.total, uintptr(r.size))))
	if !ok {
		return fail(syscall.EFAULT)
	}
	if e := s.putSockaddr(r.remote, t.name, t.nameSizeAt); e != 0 {
		return fail(e)
	}
	if t.control.putRecord(s, &r); t.control.bad {
		return fail(syscall.EFAULT)
	}
	if t.flags&syscall.MSG_PEEK == 0 {
		s.rx.head.Store(head + r.total())
		s.madeRoom(i)
	}
	t.truncated = n < r.size
	if t.flags&syscall.MSG_TRUNC != 0 {
		return int(r.size)
	}
	return int(n)
}

// nextDatagram returns the size of the oldest datagram received, 0 without one.
func (s *socket) nextDatagram() uint32 {
	if s.rx.used() == 0 {
		return 0
	}
	r := s.rx.record(s.rx.head.Load())
	return r.size
}
