package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/tidwall/redcon"

	"nuos/proclet"
	"nuos/rack"
)

// server answers Redis clients on this machine.
type server struct {
	store    *Store
	rack     *rack.Rack
	commands map[string]*command
	started  time.Time
	nextID   atomic.Int64
	clients  atomic.Int64
	requests atomic.Int64
}

// Serve accepts connections at address until it fails.
func (s *server) Serve(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("kv: serving %d shards on %s\n", len(s.store.shards), l.Addr())
	return redcon.Serve(bounded{l}, s.handle, s.accept, s.closed)
}

func (s *server) accept(conn redcon.Conn) bool {
	conn.SetContext(&session{id: s.nextID.Add(1), protocol: 2})
	s.clients.Add(1)
	return true
}

func (s *server) closed(conn redcon.Conn, err error) { s.clients.Add(-1) }

// handle answers a command and all that the client sent right behind it. Their
// operations are carried out together, which is what makes pipelines quick; the
// operations on one shard keep their order.
func (s *server) handle(conn redcon.Conn, first redcon.Command) {
	if c, ok := conn.NetConn().(*boundedConn); ok {
		c.pending = 0
	}
	w := &writer{conn, conn.Context().(*session)}
	t := proclet.Current()
	var requests []request
	var targets []target
	for _, cmd := range append([]redcon.Command{first}, conn.ReadPipeline()...) {
		s.requests.Add(1)
		r, err := s.parse(cmd)
		if err != nil {
			r = request{write: func(w *writer, _ []Reply) { w.Error(err) }}
		}
		requests = append(requests, r)
		targets = append(targets, r.targets...)
	}
	replies := s.store.Do(t, targets)
	for _, r := range requests {
		r.write(w, replies[:len(r.targets)])
		replies = replies[len(r.targets):]
	}
}

// maxPending is how many bytes a client may send without completing a command.
const maxPending = 64 << 20

// bounded is a listener whose connections fail when a client sends more than
// maxPending bytes of one command, so that no client can fill the machine.
type bounded struct{ net.Listener }

type boundedConn struct {
	net.Conn
	pending int // touched by the connection's own goroutine only
}

func (l bounded) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &boundedConn{Conn: c}, nil
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.pending >= maxPending {
		c.Write([]byte("-ERR Protocol error: command exceeds 64 MiB\r\n"))
		return 0, fmt.Errorf("command exceeds %d bytes", maxPending)
	}
	n, err := c.Conn.Read(p)
	c.pending += n
	return n, err
}
