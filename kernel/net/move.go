package net

import (
	"io"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"

	"nuos/kernel"
)

// move carries bytes between the rings and gVisor, as many as go now.
func (e *end) move() {
	if e.s.stream {
		e.receiveStream()
		e.sendStream()
	} else if !e.s.netlink {
		e.receiveDatagrams()
		e.sendDatagrams()
	}
}

// unsent lets gVisor read bytes of a ring without taking them off it.
type unsent struct {
	r         *ring
	pos, left uint32
}

func (u *unsent) Len() int { return int(u.left) }

func (u *unsent) Read(b []byte) (int, error) {
	if u.left == 0 {
		return 0, io.EOF
	}
	n := copy(b, u.r.at(u.pos, u.left))
	u.pos += uint32(n)
	u.left -= uint32(n)
	return n, nil
}

// fresh lets gVisor write bytes to a ring without publishing them.
type fresh struct {
	r         *ring // nil: only count
	pos, room uint32
	n         uint32
}

func (f *fresh) Write(b []byte) (int, error) {
	n := min(uint32(len(b)), f.room)
	if f.r != nil {
		f.r.put(f.pos, b[:n])
	}
	f.pos += n
	f.room -= n
	f.n += n
	if int(n) < len(b) {
		return int(n), io.ErrShortWrite
	}
	return int(n), nil
}

func (e *end) sendStream() {
	s := e.s
	for !e.finSent && s.tx.used() > 0 {
		head := s.tx.head.Load()
		e.unsent = unsent{&s.tx, head, s.tx.used()}
		n, err := e.ep.Write(&e.unsent, tcpip.WriteOptions{})
		s.tx.head.Store(head + uint32(n))
		if s.tx.free() >= s.tx.size/2 {
			e.tellOut()
		}
		if _, full := err.(*tcpip.ErrWouldBlock); full {
			return // and gVisor tells when it has room
		}
		if err != nil {
			// What is not sent never will be. The reading side says why,
			// when all bytes received before are read.
			s.outShut.Store(true)
			s.tx.head.Store(s.tx.tail.Load())
			kernel.SetReady(e.i, epollOut|epollErr)
			e.finSent = true
			return
		}
		if n == 0 {
			return
		}
	}
	if s.outShut.Load() && s.tx.used() == 0 && !e.finSent {
		e.finSent = true
		e.ep.Shutdown(tcpip.ShutdownWrite)
	}
}

func (e *end) receiveStream() {
	s := e.s
	for !e.inDone {
		if s.rx.free() == 0 {
			s.rxFull.Store(true)
			if s.rx.free() == 0 {
				return // and the program's next read asks for more
			}
			s.rxFull.Store(false)
		}
		tail := s.rx.tail.Load()
		e.fresh = fresh{&s.rx, tail, s.rx.free(), 0}
		_, err := e.ep.Read(&e.fresh, tcpip.ReadOptions{})
		if e.fresh.n > 0 {
			s.rx.tail.Store(tail + e.fresh.n)
			e.tellIn()
		}
		switch err.(type) {
		case nil:
		case *tcpip.ErrWouldBlock:
			return
		case *tcpip.ErrClosedForReceive, *tcpip.ErrNotConnected:
			e.inDone = true
			s.eof.Store(true)
			kernel.SetReady(e.i, epollIn|epollRdHup)
		default:
			e.inDone = true
			e.finSent = true
			s.err.CompareAndSwap(0, uint32(errno(err)))
			s.outShut.Store(true)
			s.eof.Store(true)
			kernel.SetReady(e.i, epollIn|epollOut|epollRdHup|epollHup|epollErr)
		}
	}
}

// sendDatagrams gives gVisor the records of the sending ring.
func (e *end) sendDatagrams() {
	s := e.s
	for s.tx.used() > 0 {
		head := s.tx.head.Load()
		n, to := s.tx.recordHeader(head)
		target := s.peer.load()
		if to.port != 0 {
			target = to.destination()
		}
		if e.awaitAddress(target) {
			return
		}
		e.unsent = unsent{&s.tx, head + recordHeader, n}
		var o tcpip.WriteOptions
		if to.port != 0 {
			full := target.full(s.v6)
			o.To = &full
		}
		_, err := e.ep.Write(&e.unsent, o)
		if _, full := err.(*tcpip.ErrWouldBlock); full {
			return
		}
		if err != nil {
			s.sendErr.Store(uint32(errno(err)))
		}
		s.tx.head.Store(head + recordSize(n))
		if s.tx.free() >= s.tx.size/2 {
			e.tellOut()
		}
		if s.local.load().port == 0 {
			e.learnLocal() // the first send has bound it
		}
	}
}

// receiveDatagrams moves what fits whole into the receiving ring.
func (e *end) receiveDatagrams() {
	s := e.s
	for {
		e.fresh = fresh{room: maxDatagram}
		res, err := e.ep.Read(&e.fresh, tcpip.ReadOptions{Peek: true, NeedRemoteAddr: true})
		switch err.(type) {
		case nil:
		case *tcpip.ErrWouldBlock, *tcpip.ErrClosedForReceive:
			return
		default:
			// A port that nobody listens on, mostly.
			s.err.CompareAndSwap(0, uint32(errno(err)))
			kernel.SetReady(e.i, epollIn|epollOut|epollErr)
			continue
		}
		if res.Total > maxDatagram {
			e.fresh = fresh{room: maxDatagram}
			e.ep.Read(&e.fresh, tcpip.ReadOptions{}) // larger than any ring: lost
			continue
		}
		need := recordSize(uint32(res.Total))
		if s.rx.free() < need {
			s.rxFull.Store(true)
			if s.rx.free() < need {
				return
			}
			s.rxFull.Store(false)
		}
		tail := s.rx.tail.Load()
		e.fresh = fresh{&s.rx, tail + recordHeader, uint32(res.Total), 0}
		if _, err := e.ep.Read(&e.fresh, tcpip.ReadOptions{}); err != nil {
			if code := errno(err); code != syscall.EAGAIN {
				s.err.CompareAndSwap(0, uint32(code))
			}
			continue
		}
		s.rx.putRecordHeader(tail, uint32(res.Total), addressOf(res.RemoteAddr, s.v6))
		s.rx.tail.Store(tail + need)
		e.tellIn()
	}
}
