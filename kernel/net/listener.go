package net

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"syscall"

	"gvisor.dev/gvisor/pkg/tcpip"
)

// maxAccepted bounds the connections of one listener that have a socket before the
// program has asked for it; the rest of the backlog waits with gVisor.
const maxAccepted = 64

// listen is answer's part for opListen.
func (e *end) listen(backlog int) syscall.Errno {
	if !e.attach() {
		return syscall.ENOBUFS
	}
	e.applyOptions()
	// As Linux, one more may wait than was asked for.
	if err := e.ep.Listen(backlog + 1); err != nil {
		return errno(err)
	}
	if !e.s.state.CompareAndSwap(stateOpen, stateListening) && e.s.state.Load() != stateListening {
		return syscall.EBADF // closed meanwhile
	}
	return 0
}

// gather accepts connections into the listener's receiving ring.
func (e *end) gather() {
	s := e.s
	for {
		if s.rx.used() >= maxAccepted*4 {
			s.rxFull.Store(true)
			if s.rx.used() >= maxAccepted*4 {
				return
			}
			s.rxFull.Store(false)
		}
		n, ok := e.acceptOne()
		if !ok {
			return
		}
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], uint32(n))
		tail := s.rx.tail.Load()
		s.rx.put(tail, b[:])
		s.rx.tail.Store(tail + 4)
		e.tellIn()
		notice(n) // there may be bytes already
	}
}

// acceptOne makes a socket of the oldest connection that gVisor has, if there
// is one and there are means.
func (e *end) acceptOne() (i int, ok bool) {
	i, ok = allocate(true)
	if !ok {
		starve(e.i)
		return 0, false
	}
	sockets[i].v6 = e.s.v6
	a := &end{i: i, s: &sockets[i]}
	if !a.attach() {
		release(i)
		starve(e.i)
		return 0, false
	}
	var peer tcpip.FullAddress
	ep, wq, err := e.ep.Accept(&peer)
	if err != nil {
		streamBlocks.give(a.block)
		release(i)
		return 0, false
	}
	slot := &ends[i]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	slot.end = a
	a.wq = wq
	a.adopt(ep)
	for o := range a.s.options {
		a.s.options[o].Store(e.s.options[o].Load())
	}
	a.learnLocal()
	a.s.peer.store(addressOf(peer, a.s.v6))
	a.s.state.Store(stateReady)
	return i, true
}

// starving are the listeners that found no socket or no memory.
var starving struct {
	any atomic.Bool

	mu        sync.Mutex
	listeners map[int]bool
}

func starve(i int) {
	starving.mu.Lock()
	defer starving.mu.Unlock()
	if starving.listeners == nil {
		starving.listeners = map[int]bool{}
	}
	starving.listeners[i] = true
	starving.any.Store(true)
}

// freed tells them that a socket and its memory are free again.
func freed() {
	if !starving.any.Load() {
		return
	}
	starving.mu.Lock()
	defer starving.mu.Unlock()
	starving.any.Store(false)
	for i := range starving.listeners {
		notice(i)
	}
	clear(starving.listeners)
}
