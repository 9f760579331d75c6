package net

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// close ends a socket that the program has closed. The socket may be used
// again when it returns; what was written and not yet sent goes on its way.
func (e *end) close() {
	s := e.s
	if e.ep == nil {
		e.giveBack()
		return
	}
	var rest []byte
	switch {
	case !s.stream:
		if e.block != 0 {
			e.sendDatagrams()
		}
	case tcp.EndpointState(e.ep.State()) == tcp.StateListen:
		e.disown()
	case e.block != 0:
		e.applyOptions()
		// What was written before is on its way, as far as windows let it.
		e.sendStream()
		// Linux resets a connection whose received bytes nobody has read.
		if s.options[optLinger].Load() == 0 || s.rx.used() > 0 {
			e.ep.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: true})
			break
		}
		if n := s.tx.used(); n > 0 {
			rest = make([]byte, n)
			s.tx.get(s.tx.head.Load(), rest)
		}
	}
	e.wq.EventUnregister(&e.entry)
	e.giveBack()
	if len(rest) > 0 {
		go linger(e.ep, e.wq, rest)
	} else {
		e.ep.Close()
	}
}

// awaitClosed reports whether a socket that the program had closed before it asked
// for this one to be bound is still there, perhaps with the port that is wanted
// now. If so e is served again. A socket that is itself closed waits for nobody.
func (e *end) awaitClosed() bool {
	if e.s.state.Load() == stateClosing {
		return false
	}
	if e.closing == nil {
		e.closing = []int{}
		for i := range sockets {
			if sockets[i].state.Load() == stateClosing {
				e.closing = append(e.closing, i)
			}
		}
	}
	for _, i := range e.closing {
		if sockets[i].state.Load() == stateClosing {
			runtime.Gosched() // to the other goroutine of the pump
			notice(e.i)
			return true
		}
	}
	e.closing = nil
	return false
}

func (e *end) giveBack() {
	if e.block != 0 {
		pool, _ := e.pool()
		pool.give(e.block)
		e.block = 0
	}
}

// disown closes the accepted sockets that the program has never seen.
func (e *end) disown() {
	r := &e.s.rx
	for r.used() > 0 {
		var b [4]byte
		r.get(r.head.Load(), b[:])
		r.head.Add(4)
		n := int(binary.LittleEndian.Uint32(b[:]))
		sockets[n].state.Store(stateClosing)
		notice(n)
	}
}

const (
	maxLingering  = 1024
	lingerTimeout = time.Minute
)

var lingering atomic.Int32

// linger sends what a closed connection had still to send, then closes it. A
// peer that does not take it gets a reset when the time is over, or when there
// are too many such connections.
func linger(ep tcpip.Endpoint, wq *waiter.Queue, rest []byte) {
	defer ep.Close()
	abort := func() { ep.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: true}) }
	defer lingering.Add(-1)
	if lingering.Add(1) > maxLingering {
		abort()
		return
	}
	entry, room := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	wq.EventRegister(&entry)
	defer wq.EventUnregister(&entry)
	late := time.NewTimer(lingerTimeout)
	defer late.Stop()
	for r := bytes.NewReader(rest); r.Len() > 0; {
		before := int64(len(rest) - r.Len())
		n, err := ep.Write(r, tcpip.WriteOptions{})
		r.Seek(before+n, 0)
		if _, full := err.(*tcpip.ErrWouldBlock); full {
			select {
			case <-room:
			case <-late.C:
				abort()
				return
			}
		} else if err != nil {
			return
		}
	}
}
