package net

import (
	"sync/atomic"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"

	"nuos/kernel"
)

// TCP_INFO (tcp(7)): what is known about a connection. Only its end can ask gVisor, so
// the call waits for the pump, which leaves the answer in the socket, and is then made
// again. What gVisor does not count is 0.

// connectionInfo is that answer.
type connectionInfo struct {
	ready   atomic.Bool // and nobody has fetched it
	state   atomic.Uint32
	control atomic.Uint32 // state of congestion control
	words   [len(infoOffsets)]atomic.Uint32
}

// What words hold, with its place in struct tcp_info (linux/tcp.h).
const (
	infoRTO = iota // microseconds, as the other times
	infoRTT
	infoVariance
	infoThreshold // of slow start, segments
	infoWindow    // of congestion control, segments
	infoReordering
	infoRetransmits
)

var infoOffsets = [...]uint8{infoRTO: 8, infoRTT: 68, infoVariance: 72, infoThreshold: 76, infoWindow: 80, infoReordering: 88, infoRetransmits: 100}

const sizeofTCPInfo = 104 // that of Linux 2.6; later fields are not known here

// tcpInfo is getsockopt of TCP_INFO. Of several threads that ask at once all but one are
// told what was the case the last time. Handler context.
func (s *socket) tcpInfo(i int, addr, sizeAt uintptr, room uint32, t kernel.Token) int {
	if !s.info.ready.Swap(false) && s.req.op.Load() == opNone {
		return s.ask(i, opInfo, address{}, 0, t)
	}
	var b [sizeofTCPInfo]byte
	b[0], b[1] = byte(s.info.state.Load()), byte(s.info.control.Load())
	for k, at := range infoOffsets {
		putUint32(b[at:], s.info.words[k].Load())
	}
	n := min(room, sizeofTCPInfo)
	if !kernel.CopyOut(addr, b[:n]) || !putWord(sizeAt, n) {
		return fail(syscall.EFAULT)
	}
	return 0
}

// inform leaves the answer in the socket. Goroutine context.
func (e *end) inform() int {
	var o tcpip.TCPInfoOption
	if err := e.ep.GetSockOpt(&o); err != nil {
		return fail(errno(err))
	}
	micro := func(d time.Duration) uint32 { return uint32(d.Microseconds()) }
	i := &e.s.info
	i.state.Store(uint32(o.State)) // gVisor's numbers are Linux's
	i.control.Store(uint32(o.CcState))
	i.words[infoRTO].Store(micro(o.RTO))
	i.words[infoRTT].Store(micro(o.RTT))
	i.words[infoVariance].Store(micro(o.RTTVar))
	i.words[infoThreshold].Store(o.SndSsthresh)
	i.words[infoWindow].Store(o.SndCwnd)
	i.words[infoReordering].Store(0)
	if o.ReorderSeen {
		i.words[infoReordering].Store(1)
	}
	if st, ok := e.ep.Stats().(*tcp.Stats); ok {
		i.words[infoRetransmits].Store(uint32(st.SendErrors.Retransmits.Value()))
	}
	i.ready.Store(true)
	return kernel.Again
}
