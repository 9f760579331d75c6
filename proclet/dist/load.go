package dist

import (
	"runtime/metrics"

	"nuos/proclet"
	"nuos/rack"
)

// load is how busy a machine's processors are at one moment.
type load struct {
	processors int
	busy       int // goroutines that run or are ready to
}

// spare is how many more goroutines the processors could run; negative if some
// have to wait.
func (l load) spare() int { return l.processors - l.busy }

// sampleLoad returns the load of this machine, which is m. Tests replace it.
var sampleLoad = func(m rack.MachineID) load {
	s := []metrics.Sample{
		{Name: "/sched/gomaxprocs:threads"},
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/runnable:goroutines"},
	}
	metrics.Read(s)
	n := func(i int) int {
		if s[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return int(s[i].Value.Uint64())
	}
	return load{n(0), max(n(1)+n(2)-1, 0)} // the one that asks does not count
}

// probe is the state of a proclet that stays on one machine to tell its load. The
// program is all that runs on a machine, so the Go scheduler knows it; hosted, what
// else runs on the computer is not seen.
type probe struct {
	_ uint8
}

func (*probe) sample(t *proclet.Thread, _ struct{}) (load, error) {
	return sampleLoad(t.Machine()), nil
}

// window is how many samples a decision is based on: what is free at all of these
// moments is worth using, and what is too much at all of them worth leaving.
const window = 4

// history is the last samples of a machine's spare processors.
type history struct {
	last [window]int32
	n    uint32
}

func (h *history) add(spare int) {
	h.last[h.n%window] = int32(spare)
	h.n++
}

// steady returns the spare number that holds for all of the last samples: the
// least, if all are positive, and the greatest, if all are negative; 0 otherwise.
func (h *history) steady() int {
	if h.n < window {
		return 0
	}
	least, most := h.last[0], h.last[0]
	for _, s := range h.last {
		least, most = min(least, s), max(most, s)
	}
	switch {
	case least > 0:
		return int(least)
	case most < 0:
		return int(most)
	}
	return 0
}

// forget makes decisions wait for new samples, after one has been made.
func (h *history) forget() { h.n = 0 }
