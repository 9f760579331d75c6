package tor

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// dialTimeout is how long a machine has to accept a forwarded connection
	// before the next is tried.
	dialTimeout = time.Second
	// avoidFor is how long a machine that did not accept is tried last.
	avoidFor = time.Second
)

// forwarder hands connections from outside to machines in turn.
type forwarder struct {
	dial    func(context.Context, netip.AddrPort) (end, error)
	targets func() []netip.AddrPort

	mu     sync.Mutex
	turn   int
	failed map[netip.AddrPort]time.Time // when a target last did not accept
	open   map[net.Conn]bool            // from outside
	closed bool
}

// Forward accepts connections at listen, an address of this computer, and
// connects each to one of the targets, in turn; one that refuses or does not
// answer is passed over. If none accepts, the connection is closed. It returns
// the address it listens on, for a listen with port 0.
func (h *Host) Forward(listen string, targets func() []netip.AddrPort) (net.Addr, error) {
	return h.sw.forward(listen, targets, func(ctx context.Context, to netip.AddrPort) (end, error) { return h.dial(ctx, to) })
}

// ForwardLocal is Host.Forward to addresses of this computer: those of machines
// that are processes here and use its sockets.
func (sw *Switch) ForwardLocal(listen string, targets func() []netip.AddrPort) (net.Addr, error) {
	return sw.forward(listen, targets, func(ctx context.Context, to netip.AddrPort) (end, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", to.String())
		if err != nil {
			return nil, err
		}
		return conn.(*net.TCPConn), nil
	})
}

func (sw *Switch) forward(listen string, targets func() []netip.AddrPort, dial func(context.Context, netip.AddrPort) (end, error)) (net.Addr, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("tor: forward: %w", err)
	}
	f := &forwarder{dial: dial, targets: targets, failed: map[netip.AddrPort]time.Time{}, open: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			go f.serve(conn.(*net.TCPConn))
		}
	}()
	sw.onClose(func() {
		l.Close()
		f.close()
	})
	return l.Addr(), nil
}

func (f *forwarder) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for c := range f.open {
		c.Close()
	}
}

// serve joins one connection from outside with a machine until both sides have
// said all.
func (f *forwarder) serve(outside *net.TCPConn) {
	defer outside.Close()
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return
	}
	f.open[outside] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.open, outside)
		f.mu.Unlock()
	}()
	inside := f.connect()
	if inside == nil {
		outside.SetLinger(0) // a reset says more than an orderly end
		return
	}
	defer inside.Close()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		pass(inside, outside)
	}()
	pass(outside, inside)
	<-sent
}

// end is one end of a TCP connection.
type end interface {
	net.Conn
	CloseWrite() error
}

// pass copies until from has ended, and then ends to in that direction. When
// it cannot go on it ends both, so that the other direction does not wait.
func pass(to, from end) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	to.CloseWrite()
}

// connect returns a connection to the next machine that accepts, or nil.
func (f *forwarder) connect() end {
	for _, to := range f.order() {
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		conn, err := f.dial(ctx, to)
		cancel()
		if err == nil {
			return conn
		}
		f.mu.Lock()
		f.failed[to] = time.Now()
		f.mu.Unlock()
	}
	return nil
}

// order lists the targets, beginning with the one whose turn it is; those that
// failed a moment ago come last.
func (f *forwarder) order() []netip.AddrPort {
	targets := f.targets()
	f.mu.Lock()
	defer f.mu.Unlock()
	var good, bad []netip.AddrPort
	for i := range targets {
		to := targets[(f.turn+i)%len(targets)]
		if at, failed := f.failed[to]; failed && time.Since(at) < avoidFor {
			bad = append(bad, to)
		} else {
			good = append(good, to)
		}
	}
	f.turn++
	return append(good, bad...)
}
