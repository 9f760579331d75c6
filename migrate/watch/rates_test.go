package watch

import (
	"errors"
	"testing"
	"time"

	"nuos/migrate"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// moment returns what two machines say n seconds after they have started. A third one does not
// answer.
func moment(n uint64) Sample {
	s := Sample{At: time.Unix(int64(n), 0)}
	for i := range uint64(2) {
		o := migrate.Overview{
			Rack: "test", Uptime: time.Duration(n) * time.Second, Worked: time.Duration(n) * 1500 * time.Millisecond,
			Frames: mm.Usage{Total: 100, Free: 40}, Proclets: 2, Calls: 10 * n, Made: 3 * n, Arrived: 2 * n, Sent: 7 * n, GivenUp: 1, Lost: 2,
			Top: []proclet.Info{{ID: string(rune('a' + i)), Calls: 4 * n, Processors: float64(i), Mapped: 9 - i}},
		}
		o.Latencies.Buckets[3] = n
		s.Machines = append(s.Machines, Machine{Member: rack.Member{ID: rack.MachineID(i + 1)}, Overview: o})
	}
	s.Machines = append(s.Machines, Machine{Member: rack.Member{ID: 3}, Err: errors.New("it is silent")})
	return s
}

func TestBetween(t *testing.T) {
	r := Between(moment(2), moment(4), migrate.ByLoad)
	if r.Rack != "test" || r.Answered != 2 || len(r.Machines) != 3 || r.Count != 4 || r.Calls != 20 || r.Moves != 6 || r.Sent != 14 ||
		r.Lost != 4 || r.GivenUp != 2 || r.Latencies.Buckets[3] != 4 {
		t.Errorf("the rack: %+v", r)
	}
	if m := r.Machines[1]; m.Memory != .6 || m.Worked != 1.5 || m.Calls != 10 || m.Out != 3 || m.In != 2 || m.Latencies.Count() != 2 {
		t.Errorf("a machine: %+v", m)
	}
	if m := r.Machines[2]; m.Err == nil || m.Calls != Unknown {
		t.Errorf("a machine that does not answer: %+v", m)
	}
	if p := r.Proclets[0]; p.ID != "b" || p.Machine != 2 || p.Rate != 4 {
		t.Errorf("the proclet that uses most: %+v", p)
	}
	if r.Arrange(migrate.ByMemory); r.Proclets[0].ID != "a" || r.By != migrate.ByMemory {
		t.Errorf("the largest proclet: %+v", r.Proclets[0])
	}
}

// TestUnknown: what has not been said before is not known, and what has started again is no
// less than nothing.
func TestUnknown(t *testing.T) {
	for name, before := range map[string]Sample{"nothing": {}, "the future": moment(9)} {
		r := Between(before, moment(4), migrate.ByLoad)
		if m := r.Machines[0]; m.Calls != Unknown || m.Worked != Unknown || m.Out != Unknown || m.In != Unknown || m.Latencies.Count() != 0 {
			t.Errorf("after %s: %+v", name, m)
		}
		if r.Calls != 0 || r.Moves != 0 || r.Sent != 0 {
			t.Errorf("after %s: %v calls, %v moves, %v bytes", name, r.Calls, r.Moves, r.Sent)
		}
	}
	if r := Between(Sample{}, moment(4), migrate.ByLoad); r.Proclets[0].Rate != Unknown {
		t.Errorf("calls of a proclet that was not known: %v", r.Proclets[0].Rate)
	}
}
