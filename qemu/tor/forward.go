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
	// headStart is how long a machine has to accept a forwarded connection
	// before the next is tried beside it. A SYN that is lost is sent again
	// after a second.
	headStart = time.Second
	// acceptTimeout is how long the machines have to accept it in all.
	acceptTimeout = 30 * time.Second
	// avoidFor is how long a machine that did not accept at once is tried last.
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
// answer is passed over. If none accepts, the connection is reset. It returns
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

// connect returns a connection to the first machine that accepts, or nil. Each
// is asked when those before it have refused or had their head start; a slow
// machine, and there may be no other, is still waited for.
func (f *forwarder) connect() end {
	ctx, cancel := context.WithTimeout(context.Background(), acceptTimeout)
	defer cancel()
	targets := f.order()
	accepted, refused := make(chan end), make(chan struct{})
	ask := func(to netip.AddrPort) {
		conn, err := f.dial(ctx, to)
		if err != nil {
			select {
			case refused <- struct{}{}:
				f.avoid(to)
			case <-ctx.Done():
			}
			return
		}
		select {
		case accepted <- conn:
		case <-ctx.Done():
			conn.Close() // another was quicker
		}
	}
	next := time.NewTimer(0)
	defer next.Stop()
	for asked, waiting := 0, 0; ; {
		select {
		case <-next.C:
			if asked == len(targets) && waiting == 0 {
				return nil
			}
			if waiting > 0 {
				f.avoid(targets[asked-1])
			}
			if asked == len(targets) {
				continue
			}
			go ask(targets[asked])
			asked++
			waiting++
			next.Reset(headStart)
		case conn := <-accepted:
			return conn
		case <-refused:
			waiting--
			next.Reset(0)
		case <-ctx.Done():
			return nil
		}
	}
}

// avoid has a machine that did not accept tried last for a while.
func (f *forwarder) avoid(to netip.AddrPort) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed[to] = time.Now()
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
