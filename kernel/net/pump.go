package net

import (
	"fmt"
	"math/bits"
	"os"
	"sync"
	"syscall"
)

var (
	stackWake = make(chan struct{}, 1) // holds the wake-up of byStack
	callWake  *os.File                 // eventFD, for reading
)

// notice does the same for goroutines, without a system call.
func notice(i int) {
	if byStack.set(i) {
		select {
		case stackWake <- struct{}{}:
		default: // the last wake-up has not been fetched and serves this too
		}
	}
}

// sweep serves every marked socket, and those marked meanwhile, until it has
// looked at all without finding a mark.
func (m *marks) sweep() {
	for found := true; found; {
		found = false
		m.awake.Store(false)
		for w := range m.words {
			if m.words[w].Load() == 0 {
				continue
			}
			found = true
			// The pump is up: until the next store of false nobody wakes it.
			m.awake.Store(true)
			for set := m.words[w].Swap(0); set != 0; set &= set - 1 {
				serve(w*64 + bits.TrailingZeros64(set))
			}
		}
	}
}

func startPump() error {
	fd, _, e := syscall.RawSyscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if e != 0 {
		return fmt.Errorf("eventfd: %w", e)
	}
	eventFD = int(fd)
	callWake = os.NewFile(fd, "sockets")
	go func() {
		var b [8]byte
		for {
			byCall.sweep()
			callWake.Read(b[:])
		}
	}()
	go func() {
		for {
			byStack.sweep()
			<-stackWake
		}
	}()
	return nil
}

// ends holds the sockets' Go halves.
var ends [maxSockets]struct {
	mu sync.Mutex // held by whoever serves the socket
	*end
}

// serve looks at a socket and does all that can be done for it now.
func serve(i int) {
	slot := &ends[i]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	s := &sockets[i]
	state := s.state.Load()
	if state == stateFree {
		return
	}
	if slot.end == nil && (state != stateClosing || s.req.op.Load() != opNone) {
		slot.end = newEnd(i)
	}
	e := slot.end
	if s.req.op.Load() != opNone {
		e.answer()
	}
	switch s.state.Load() {
	case stateClosing:
		slot.end = nil
		if e != nil {
			e.close()
		}
		release(i)
		freed()
		return
	case stateOpen:
		e.prepare()
	case stateConnecting:
		e.dial()
	case stateListening:
		e.gather()
	}
	e.applyOptions()
	if s.state.Load() == stateReady {
		e.move()
	}
}
