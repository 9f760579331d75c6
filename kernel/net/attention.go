package net

import (
	"sync/atomic"

	"nuos/kernel"
)

// The pump is two goroutines that give sockets the attention asked for. One is
// parked on an eventfd and serves those that a system call has marked; the
// other is woken by gVisor's notifications. Each clears a socket's mark before
// it looks at the socket, so that what happens meanwhile marks it again.
var (
	byCall  marks // set in handler context
	byStack marks // set by gVisor's goroutines

	eventFD int // is signalled for byCall
)

// marks is a set of sockets. awake is set by whoever marks the first one after
// the pump's last look, and has to wake the pump.
type marks struct {
	awake atomic.Bool
	words [maxSockets / 64]atomic.Uint64
}

// set marks socket i and reports whether the pump has to be woken.
func (m *marks) set(i int) bool {
	m.words[i/64].Or(1 << (i % 64))
	return !m.awake.Load() && !m.awake.Swap(true)
}

// attend asks the pump to look at socket i. Either context.
func attend(i int) {
	if byCall.set(i) {
		kernel.SignalEvent(eventFD)
	}
}
