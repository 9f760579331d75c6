package net

import (
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"

	"nuos/kernel"
)

// end is the Go half of a socket. Its methods are called by serve, with the
// slot's mu held.
type end struct {
	i  int
	s  *socket
	ep tcpip.Endpoint // nil: gVisor had no endpoint to give
	wq *waiter.Queue

	entry  waiter.Entry
	block  uintptr // memory of the rings, 0: none
	unsent unsent  // what ep.Write reads from
	fresh  fresh   // what ep.Read writes to

	closing []int       // see awaitClosed
	dialed  bool        // ep.Connect was called
	patient bool        // somebody waits for an address on behalf of this end
	waited  atomic.Bool // that has ended
	finSent bool        // ep.Shutdown(write) was called
	inDone  bool        // ep.Read has said that nothing more comes
}

func newEnd(i int) *end {
	e := &end{i: i, s: &sockets[i], wq: new(waiter.Queue)}
	if e.s.netlink {
		return e
	}
	ep, err := e.newEndpoint()
	if err != nil {
		return e
	}
	e.adopt(ep)
	if !e.s.stream { // all that a control message can say of a datagram
		so := ep.SocketOptions()
		so.SetReceivePacketInfo(true)
		so.SetReceiveTTL(true)
		so.SetReceiveTOS(true)
		so.SetIPv6ReceivePacketInfo(true)
		so.SetReceiveHopLimit(true)
		so.SetReceiveTClass(true)
	}
	return e
}

// adopt makes ep the endpoint and has its events noticed.
func (e *end) adopt(ep tcpip.Endpoint) {
	e.ep = ep
	i := e.i // the closure outlives e for a moment
	e.entry = waiter.NewFunctionEntry(waiter.AllEvents, func(waiter.EventMask) { notice(i) })
	e.wq.EventRegister(&e.entry)
}

// attach gives the socket its rings.
func (e *end) attach() bool {
	if e.block != 0 {
		return true
	}
	pool, size := e.pool()
	base, ok := pool.take()
	if !ok {
		return false
	}
	e.block = base
	e.s.rx.attach(base, size)
	e.s.tx.attach(base+uintptr(size), size)
	return true
}

func (e *end) pool() (p *blockPool, ring uint32) {
	if e.s.stream {
		return &streamBlocks, streamRing
	}
	return &datagramBlocks, datagramRing
}

// answer does what a waiting call asks for and completes it.
func (e *end) answer() {
	s := e.s
	result := 0
	switch op, a := s.req.op.Load(), s.req.address; {
	case op == opRoute:
		result = e.answerRoute()
	case e.ep == nil:
		result = fail(syscall.ENOBUFS)
	case op == opBind:
		if a.port != 0 && e.awaitClosed() {
			return
		}
		e.applyOptions()
		result = fail(errno(e.ep.Bind(a.full(s.v6))))
	case op == opListen:
		result = fail(e.listen(int(s.req.arg)))
	case op == opConnect:
		a = a.destination()
		if e.awaitAddress(a) {
			return
		}
		e.applyOptions()
		if err := e.ep.Connect(a.full(s.v6)); err != nil {
			result = fail(errno(err))
		} else {
			s.peer.store(a)
		}
	case op == opJoin || op == opLeave:
		result = fail(e.member(op == opJoin))
	case op == opMulticastIf:
		result = fail(e.multicastFrom())
	case op == opInfo:
		result = e.inform()
	}
	e.learnLocal()
	if !s.stream {
		e.prepare()
	}
	t := s.req.token
	s.req.op.Store(opNone)
	kernel.CompleteCall(t, result)
}

func (e *end) learnLocal() {
	if e.ep != nil {
		if a, err := e.ep.GetLocalAddress(); err == nil {
			e.s.local.store(addressOf(a, e.s.v6))
		}
	}
}

// prepare makes a new datagram socket ready to send and receive.
func (e *end) prepare() {
	s := e.s
	if s.stream || s.state.Load() != stateOpen {
		return
	}
	if e.ep == nil && !s.netlink || !e.attach() {
		s.err.Store(uint32(syscall.ENOBUFS))
		kernel.SetReady(e.i, epollIn|epollOut|epollErr)
		return
	}
	if s.state.CompareAndSwap(stateOpen, stateReady) {
		e.tellOut()
	}
}

// dial begins a stream's connection or looks how it goes on.
func (e *end) dial() {
	s := e.s
	if e.ep == nil {
		e.failed(syscall.ENOBUFS)
		return
	}
	if !e.dialed {
		a := s.req.address.destination()
		if e.awaitAddress(a) {
			return
		}
		e.dialed = true
		e.applyOptions()
		if err := e.ep.Connect(a.full(s.v6)); err != nil {
			if _, started := err.(*tcpip.ErrConnectStarted); !started {
				e.failed(errno(err))
				return
			}
		}
	}
	switch tcp.EndpointState(e.ep.State()) {
	case tcp.StateInitial, tcp.StateBound, tcp.StateConnecting, tcp.StateSynSent, tcp.StateSynRecv:
		e.learnLocal()
	case tcp.StateError, tcp.StateClose:
		code := errno(e.ep.LastError())
		if code == 0 {
			code = syscall.ECONNREFUSED
		}
		e.failed(code)
	default:
		if !e.attach() {
			e.failed(syscall.ENOBUFS)
			return
		}
		e.learnLocal()
		s.peer.store(s.req.address.destination())
		if s.state.CompareAndSwap(stateConnecting, stateReady) {
			s.wantOut.Store(false)
			kernel.SetReady(e.i, epollOut)
		}
	}
}

// failed ends a stream's attempt to connect.
func (e *end) failed(code syscall.Errno) {
	e.s.err.Store(uint32(code))
	e.s.state.CompareAndSwap(stateConnecting, stateFailed)
	kernel.SetReady(e.i, epollIn|epollOut|epollErr|epollHup)
}

// awaitAddress reports whether the machine still waits for its first address
// and a needs it. If so the socket is served again when that is over.
func (e *end) awaitAddress(a address) bool {
	if a.loopback() || !a.is4() || e.waited.Load() {
		return false
	}
	select {
	case <-configured:
		return false
	default:
	}
	if !e.patient {
		e.patient = true
		go func() {
			select {
			case <-configured:
			case <-time.After(addressPatience):
			}
			e.waited.Store(true)
			notice(e.i)
		}()
	}
	return true
}

// tellIn and tellOut report that a call that returned EAGAIN may try again.
func (e *end) tellIn() {
	if e.s.wantIn.Load() && e.s.wantIn.Swap(false) {
		kernel.SetReady(e.i, epollIn)
	}
}

func (e *end) tellOut() {
	if e.s.wantOut.Load() && e.s.wantOut.Swap(false) {
		kernel.SetReady(e.i, epollOut)
	}
}
