package kernel

// cpuTimer counts processor time down.
type cpuTimer struct {
	made           bool
	left, interval int64 // ns; left is 0 when the timer is not set
}

// charge takes d off and reports whether the timer has run out, once or several times. The
// next time comes when it would have come if each had been noticed at once, as on Linux.
func (p *cpuTimer) charge(d int64) bool {
	if p.left == 0 {
		return false
	}
	if p.left -= d; p.left > 0 {
		return false
	}
	if p.interval > 0 {
		p.left = p.interval - -p.left%p.interval
	} else {
		p.left = 0
	}
	return true
}
