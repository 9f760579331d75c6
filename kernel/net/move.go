package net

import (
	"io"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"

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
		r := s.tx.record(head)
		target := s.peer.load()
		if r.remote.port != 0 {
			target = r.remote.destination()
		}
		if e.awaitAddress(target) {
			return
		}
		e.unsent = unsent{&s.tx, head + r.header(), r.size}
		err := e.sendRecord(&r, target)
		if _, full := err.(*tcpip.ErrWouldBlock); full {
			return
		}
		if err != nil {
			s.sendErr.Store(uint32(errno(err)))
		}
		s.tx.head.Store(head + r.total())
		if s.tx.free() >= s.tx.size/2 {
			e.tellOut()
		}
		if s.local.load().port == 0 {
			e.learnLocal() // the first send has bound it
		}
	}
}

// sendRecord has gVisor send what e.unsent reads to target.
func (e *end) sendRecord(r *record, target address) (err tcpip.Error) {
	var o tcpip.WriteOptions
	four := target.is4()
	if r.remote.port != 0 || r.local.zone != 0 {
		full := target.full(e.s.v6)
		if four && r.local.zone != 0 {
			full.NIC = tcpip.NICID(r.local.zone)
		}
		o.To = &full
	}
	o.ControlMessages = tcpip.SendableControlMessages{HasTTL: four && r.hasTTL, TTL: r.ttl, HasHopLimit: !four && r.hasTTL, HopLimit: r.ttl}
	switch source := r.local; {
	case four && !source.unspecified():
		if err := e.checkSource(source, target); err != nil {
			return err
		}
	case !four && (!source.unspecified() || source.zone != 0):
		o.ControlMessages.HasIPv6PacketInfo = true
		o.ControlMessages.IPv6PacketInfo = tcpip.IPv6PacketInfo{NIC: tcpip.NICID(source.zone), Addr: source.full(true).Addr}
	}
	if r.hasTOS { // which gVisor has as an option only
		class, o := tcpip.IPv4TOSOption, optTOS
		if !four {
			class, o = tcpip.IPv6TrafficClassOption, optTrafficClass
		}
		e.ep.SetSockOptInt(class, int(r.tos))
		defer func() { e.ep.SetSockOptInt(class, int(e.s.options[o].Load())) }()
	}
	_, err = e.ep.Write(&e.unsent, o)
	return err
}

// checkSource reports an error if what e sends to target does not come from the
// given IPv4 address anyhow, as gVisor lets nobody choose.
func (e *end) checkSource(source, target address) tcpip.Error {
	if bound := e.s.local.load(); bound.lo == source.lo {
		return nil
	}
	route, err := internet.FindRoute(tcpip.NICID(source.zone), tcpip.Address{}, target.full(false).Addr, ipv4.ProtocolNumber, false)
	if err != nil {
		return err
	}
	defer route.Release()
	if route.LocalAddress() != source.full(false).Addr {
		return &tcpip.ErrBadLocalAddress{}
	}
	return nil
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
		r := e.received(&res)
		if !r.fits() {
			e.fresh = fresh{room: maxDatagram}
			e.ep.Read(&e.fresh, tcpip.ReadOptions{}) // larger than any ring: lost
			continue
		}
		if s.rx.free() < r.total() {
			s.rxFull.Store(true)
			if s.rx.free() < r.total() {
				return
			}
			s.rxFull.Store(false)
		}
		tail := s.rx.tail.Load()
		e.fresh = fresh{&s.rx, tail + r.header(), r.size, 0}
		if _, err := e.ep.Read(&e.fresh, tcpip.ReadOptions{}); err != nil {
			if code := errno(err); code != syscall.EAGAIN {
				s.err.CompareAndSwap(0, uint32(code))
			}
			continue
		}
		if s.unwanted(tail+r.header(), r.size) {
			continue
		}
		s.rx.putRecord(tail, &r)
		s.rx.tail.Store(tail + r.total())
		e.tellIn()
	}
}

// received is what gVisor says of a datagram.
func (e *end) received(res *tcpip.ReadResult) record {
	r := record{size: uint32(res.Total), remote: addressOf(res.RemoteAddr, e.s.v6)}
	if e.s.portless() {
		r.remote.port = 0
	}
	switch c := &res.ControlMessages; {
	case c.HasIPPacketInfo:
		r.local = addressOf(tcpip.FullAddress{Addr: c.PacketInfo.DestinationAddr}, false)
		r.local.zone = uint16(c.PacketInfo.NIC)
		r.answers = uint32(addressOf(tcpip.FullAddress{Addr: c.PacketInfo.LocalAddr}, false).lo)
		r.tos, r.ttl = c.TOS, c.TTL
	case c.HasIPv6PacketInfo:
		r.local = addressOf(tcpip.FullAddress{Addr: c.IPv6PacketInfo.Addr}, true)
		r.local.zone = uint16(c.IPv6PacketInfo.NIC)
		r.tos, r.ttl = uint8(c.TClass), c.HopLimit
	}
	return r
}
