//go:build !metal

package net

import (
	"fmt"
	"syscall"
	"testing"

	"nuos/kernel"
)

// TestPing sends echo requests through ping sockets, which get the answers to their own
// requests alone.
func TestPing(t *testing.T) {
	for _, c := range []struct {
		domain, protocol uintptr
		to               address
		request, answer  byte
	}{
		{syscall.AF_INET, syscall.IPPROTO_ICMP, loopback4, 8, 0},
		{syscall.AF_INET6, syscall.IPPROTO_ICMPV6, loopback6, 128, 129},
	} {
		var pings [2]fd
		for k := range pings {
			n := kernel.Invoke(syscall.SYS_SOCKET, -1, true, c.domain, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK, c.protocol)
			if n < 0 {
				t.Fatal(syscall.Errno(-n))
			}
			pings[k] = fd(n)
		}
		for round := range byte(20) {
			for k, p := range pings {
				if err := p.sendTo([]byte{c.request, 0, 0, 0, 0, 0, 0, round, byte(k), 'x'}, c.to); err != nil {
					t.Fatal(err)
				}
			}
			for k, p := range pings {
				b := make([]byte, 100)
				n, from, err := p.receiveFrom(b)
				want := fmt.Sprint(c.answer, " ", round, " ", k, " ", c.to)
				if got := fmt.Sprint(b[0], " ", b[7], " ", b[8], " ", from); err != nil || n != 10 || got != want {
					t.Errorf("socket %d got %q (%d bytes), %v; want %q", k, got, n, err, want)
				}
			}
		}
		for _, p := range pings {
			p.Close()
		}
	}
	settle(t)
}
