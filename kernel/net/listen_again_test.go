//go:build !metal

package net

import (
	"syscall"
	"testing"
)

// TestListenAgain listens at a port at once after who did has been closed.
func TestListenAgain(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		a, err := l.name(syscall.SYS_GETSOCKNAME)
		if err != nil {
			t.Fatal(err)
		}
		next, err := newSocket(syscall.SOCK_STREAM) // of a lower or higher index, by turns
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if err := next.bind(a); err != nil {
			t.Fatal(err)
		}
		if err := next.listen(1); err != nil {
			t.Fatal(err)
		}
		l = next
	}
	l.Close()
	settle(t)
}
