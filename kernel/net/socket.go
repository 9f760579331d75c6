package net

import (
	"sync/atomic"

	"nuos/kernel"
)

// maxSockets is how many sockets there can be, accepted ones that nobody has
// fetched and closed ones that the pump still has to clear away included.
const maxSockets = min(4096, kernel.MaxSockets)

// A socket is what system calls see of a socket. It holds no pointers, so that
// handler context may store to every field.
//
// Fields that are not atomic are written either before the socket is published
// (by the store of state that makes them matter), or by system calls only,
// which the kernel runs one at a time.
type socket struct {
	state  atomic.Uint32 // one of the states below
	stream bool          // TCP, else one of datagrams

	awaited bool // a connect is to return when there is a connection
	v6      bool // AF_INET6
	netlink bool // AF_NETLINK
	raw     bool // SOCK_RAW of Internet protocols, see raw.go

	protocol uint8            // of a socket of datagrams: IPPROTO_UDP and the like
	filter   [8]atomic.Uint32 // of raw sockets of ICMP

	rx, tx ring

	// Who sleeps. wantIn and wantOut are set by a call before it returns
	// EAGAIN and fetched by the pump when there is something to report;
	// rxFull is set by the pump before it leaves received bytes with gVisor
	// and fetched by a call that has made room.
	wantIn, wantOut, rxFull atomic.Bool

	inShut  atomic.Bool   // the program has shut the receiving side
	outShut atomic.Bool   // the program has shut the sending side
	eof     atomic.Bool   // the peer has shut its sending side
	err     atomic.Uint32 // SO_ERROR: an errno that the next call returns
	sendErr atomic.Uint32 // datagrams: an errno that the next send returns

	local, peer published // endpoint addresses; a peer without a port is none

	req struct { // a call that waits for the pump
		op      atomic.Uint32 // 0: none; stored last
		address address
		arg     uint64 // listen's backlog, and the like
		token   kernel.Token
	}

	info connectionInfo

	multicastIf atomic.Uint32 // IP_MULTICAST_IF, an address
	options     [numOptions]atomic.Int32
	changed     atomic.Uint64 // bits of options the end does not know yet

	next atomic.Uint32 // on the free list
}

// States of a socket. System calls make it open, connecting (streams) and
// closing; the pump makes it listening, ready and failed.
const (
	stateFree = iota
	stateOpen
	stateListening
	stateConnecting
	stateReady  // has rings: a stream is connected, datagrams may flow
	stateFailed // a stream that could not connect
	stateClosing
)

var sockets [maxSockets]socket

// unused is the list of free sockets: the first one's index plus one in the low
// half, and in the high half a count of changes, without which a
// compare-and-swap could take a list that has changed twice for the one it saw.
var unused atomic.Uint64

func init() {
	for i := range sockets {
		release(maxSockets - 1 - i)
	}
}

// release puts a socket on the free list. Either context.
func release(i int) {
	sockets[i].state.Store(stateFree)
	for {
		old := unused.Load()
		sockets[i].next.Store(uint32(old))
		if unused.CompareAndSwap(old, (old>>32+1)<<32|uint64(i+1)) {
			return
		}
	}
}

// allocate takes a socket off the free list and makes it as new, in state free.
// Either context.
func allocate(stream bool) (i int, ok bool) {
	for {
		old := unused.Load()
		if uint32(old) == 0 {
			return 0, false
		}
		i = int(uint32(old)) - 1
		if unused.CompareAndSwap(old, (old>>32+1)<<32|uint64(sockets[i].next.Load())) {
			break
		}
	}
	s := &sockets[i]
	s.stream = stream
	s.rx.attach(0, 0)
	s.tx.attach(0, 0)
	s.wantIn.Store(true)
	s.wantOut.Store(true)
	s.rxFull.Store(false)
	s.inShut.Store(false)
	s.outShut.Store(false)
	s.eof.Store(false)
	s.info.ready.Store(false)
	s.multicastIf.Store(0)
	s.err.Store(0)
	s.sendErr.Store(0)
	s.v6, s.netlink, s.raw, s.awaited = false, false, false, false
	s.protocol = 0
	for k := range s.filter {
		s.filter[k].Store(0)
	}
	s.local.store(from4(0, 0, 0, 0, 0))
	s.peer.store(address{})
	s.req.op.Store(0)
	for o := range s.options {
		s.options[o].Store(optionTable[o].initial)
	}
	s.changed.Store(0)
	kernel.ClearReady(i, ^uint32(0))
	return i, true
}
