package net

import (
	"encoding/binary"
	"syscall"

	"nuos/kernel"
)

// A record of a datagram socket's ring is a header, the datagram's bytes, and
// padding to four bytes.
//
//	 0  length of the datagram
//	 4  address of the other side: hi, lo, port, zone (see address)
//	24  bytes
const (
	recordHeader = 24
	maxDatagram  = 65535 - 20 - 8 // what IPv4 and UDP leave; with the header it fits a ring
)

func recordSize(n uint32) uint32 { return (recordHeader + n + 3) &^ 3 }

func (r *ring) putRecordHeader(pos, n uint32, a address) {
	var b [recordHeader]byte
	binary.LittleEndian.PutUint32(b[0:], n)
	binary.LittleEndian.PutUint64(b[4:], a.hi)
	binary.LittleEndian.PutUint64(b[12:], a.lo)
	binary.LittleEndian.PutUint16(b[20:], a.port)
	binary.LittleEndian.PutUint16(b[22:], a.zone)
	r.put(pos, b[:])
}

func (r *ring) recordHeader(pos uint32) (n uint32, a address) {
	var b [recordHeader]byte
	r.get(pos, b[:])
	return binary.LittleEndian.Uint32(b[0:]), address{
		hi: binary.LittleEndian.Uint64(b[4:]), lo: binary.LittleEndian.Uint64(b[12:]),
		port: binary.LittleEndian.Uint16(b[20:]), zone: binary.LittleEndian.Uint16(b[22:]),
	}
}

// sendDatagram queues a datagram. Its address is zero if it is for the peer.
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
	var to address
	if t.name != 0 {
		var e syscall.Errno
		if to, e = s.sockaddrAt(t.name, t.nameSize); e != 0 {
			return fail(e)
		}
		if to.port == 0 {
			return fail(syscall.EINVAL)
		}
	} else if s.peer.load().port == 0 {
		return fail(syscall.EDESTADDRREQ)
	}
	if t.total > maxDatagram {
		return fail(syscall.EMSGSIZE)
	}
	n := uint32(t.total)
	for s.state.Load() != stateReady || s.tx.free() < recordSize(n) {
		kernel.ClearReady(i, epollOut)
		s.wantOut.Store(true)
		if s.state.Load() != stateReady || s.tx.free() < recordSize(n) {
			attend(i) // the pump brings the rings of a socket that is new
			return fail(syscall.EAGAIN)
		}
		s.wantOut.Store(false)
	}
	tail := s.tx.tail.Load()
	if m, ok := t.data.fill(&s.tx, tail+recordHeader, n); !ok || m != n {
		return fail(syscall.EFAULT)
	}
	s.tx.putRecordHeader(tail, n, to)
	s.tx.tail.Store(tail + recordSize(n))
	attend(i)
	return int(n)
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
	size, from := s.rx.recordHeader(head)
	n, ok := t.data.empty(&s.rx, head+recordHeader, uint32(min(t.total, uintptr(size))))
	if !ok {
		return fail(syscall.EFAULT)
	}
	if e := s.putSockaddr(from, t.name, t.nameSizeAt); e != 0 {
		return fail(e)
	}
	if t.flags&syscall.MSG_PEEK == 0 {
		s.rx.head.Store(head + recordSize(size))
		s.madeRoom(i)
	}
	t.truncated = n < size
	if t.flags&syscall.MSG_TRUNC != 0 {
		return int(size)
	}
	return int(n)
}

// nextDatagram returns the size of the oldest datagram received, 0 without one.
func (s *socket) nextDatagram() uint32 {
	if s.rx.used() == 0 {
		return 0
	}
	n, _ := s.rx.recordHeader(s.rx.head.Load())
	return n
}
