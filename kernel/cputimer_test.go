package kernel

import "testing"

// TestCPUTimer charges timers of 10 ns, and one that runs out once.
func TestCPUTimer(t *testing.T) {
	for _, c := range []struct {
		left, interval, charged int64
		out                     bool
		then                    int64
	}{
		{left: 0, interval: 10, charged: 100, then: 0}, // not set
		{left: 10, interval: 10, charged: 9, then: 1},
		{left: 1, interval: 10, charged: 1, out: true, then: 10},
		{left: 1, interval: 10, charged: 4, out: true, then: 7},
		{left: 5, interval: 10, charged: 15, out: true, then: 10},
		{left: 5, interval: 10, charged: 38, out: true, then: 7},
		{left: 5, charged: 38, out: true, then: 0},
	} {
		p := cpuTimer{left: c.left, interval: c.interval}
		if out := p.charge(c.charged); out != c.out || p.left != c.then {
			t.Errorf("%d of %+v: %v, %d left; want %v, %d", c.charged, c, out, p.left, c.out, c.then)
		}
	}
}
