//go:build !metal

package net

import (
	"io"
	"syscall"
	"testing"
)

// TestAnswerBeforeReset closes connections whose received bytes nobody has read right
// after an answer was written, as a server does that refuses a request: the answer comes
// before the reset. Where the end of the answer was said too, the reset is not seen.
func TestAnswerBeforeReset(t *testing.T) {
	l, err := listenOn(addr(loopbackNet, 0), 1)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := l.name(syscall.SYS_GETSOCKNAME)
	const answer = "this is too long"
	for round := range 200 {
		c, err := dialTo(a)
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := l.accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("request")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.tryWrite([]byte(answer)); err != nil {
			t.Fatal(err)
		}
		want := error(syscall.ECONNRESET)
		if round%2 == 1 {
			want = io.EOF
			if err := s.CloseWrite(); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		b := make([]byte, len(answer))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != answer {
			t.Fatalf("round %d: read %q, %v; want %q", round, b, err, answer)
		}
		if n, err := c.Read(b); n != 0 || err != want {
			t.Fatalf("round %d: after the answer: %d, %v; want %v", round, n, err, want)
		}
		c.Close()
	}
	l.Close()
	settle(t)
}
