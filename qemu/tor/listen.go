package tor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
)

// maxSocketPath is sun_path less its terminating zero (unix(7)).
const maxSocketPath = 107

// listen serves connections at a unix socket, each on a goroutine of its own,
// until the switch is closed; then the connections are closed and the file
// removed. A file that a dead process left is replaced.
func (sw *Switch) listen(path string, serve func(*net.UnixConn)) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("tor: the socket path %s is longer than %d bytes", path, maxSocketPath)
	}
	if err := removeStale(path); err != nil {
		return err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("tor: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return fmt.Errorf("tor: %w", err)
	}
	var (
		mu     sync.Mutex
		open   = map[*net.UnixConn]bool{}
		closed bool
	)
	go func() {
		for {
			conn, err := l.AcceptUnix()
			if err != nil {
				return // closed
			}
			mu.Lock()
			if closed {
				conn.Close()
			}
			open[conn] = true
			mu.Unlock()
			go func() {
				serve(conn)
				mu.Lock()
				delete(open, conn)
				mu.Unlock()
				conn.Close()
			}()
		}
	}()
	sw.onClose(func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		closed = true
		for conn := range open {
			conn.Close()
		}
	})
	return nil
}

// removeStale removes a socket file that nobody serves any more.
func removeStale(path string) error {
	conn, err := net.Dial("unix", path)
	switch {
	case err == nil:
		conn.Close()
		return fmt.Errorf("tor: somebody serves %s already", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return nil // no such file, or Listen will say what is wrong
}
