package placement

import (
	"fmt"
	"testing"
	"time"
)

const mib = 1 << 20

// TestMemoryPressure has something else take a machine's memory: what lives there moves to where there
// is room, as fast as it is taken.
func TestMemoryPressure(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(t, seed)
		for range 4 {
			w.put(w.add(1024*mib, 4), 300, mib, .001)
		}
		victim := w.order[1]
		w.run(time.Second)
		if w.moves != 0 {
			t.Fatalf("%d moves without pressure", w.moves)
		}
		victim.growth = 1000 * mib
		for range 1000 {
			w.run(time.Millisecond)
			if victim.taken >= 940*mib {
				victim.growth = 0
			}
			if victim.free() == 0 {
				t.Fatalf("seed %d: the machine has run out of memory at %v", seed, w.now)
			}
		}
		w.settled(5 * time.Second)
		if st := victim.sensor.State(); st.Memory {
			t.Errorf("%s free: %d proclets are left", Size(st.Free), len(victim.proclets))
		}
		for _, h := range w.order {
			if st := h.sensor.State(); h != victim && st.Free < 2*st.Watermark {
				t.Errorf("machine %d was left %s", h.id, Size(st.Free))
			}
		}
	}
}

// TestProcessorPressure has something else use a machine's processors. What calls come
// from one machine for goes there.
func TestProcessorPressure(t *testing.T) {
	for seed := range uint64(6) {
		w := newWorld(t, seed)
		for range 4 {
			w.add(1024*mib, 4)
		}
		victim := w.order[0]
		w.put(victim, 8, mib, .4)
		for _, r := range victim.proclets {
			r.calls = map[Machine]float64{3: .9, 1: .1}
		}
		victim.other = 3.5
		w.settled(5 * time.Second)
		if d := victim.demand(); d > 4.5 {
			t.Errorf("the machine is left with a load of %.2f", d)
		}
		near, far := len(w.hosts[3].proclets), len(w.hosts[2].proclets)+len(w.hosts[4].proclets)
		if near <= far {
			t.Errorf("%d proclets are where their callers are, %d are elsewhere", near, far)
		}
		for _, h := range w.order[1:] {
			if h.demand() > 4.5 {
				t.Errorf("machine %d got a load of %.2f", h.id, h.demand())
			}
		}
	}
}

// TestEdge has machines that are all but full, in memory or in processors, with loads that vary. Nothing
// goes to and fro.
func TestEdge(t *testing.T) {
	for seed := range uint64(3) {
		for _, c := range []struct {
			name  string
			taken uint64
			load  float64
		}{
			{"memory", 700 * mib, .0},
			{"processors", 0, .0295},
			{"both", 700 * mib, .03},
		} {
			w := newWorld(t, seed)
			for range 2 {
				h := w.add(1024*mib, 4)
				h.taken = c.taken
				w.put(h, 130, 2*mib, c.load)
				w.put(h, 4, mib/2, c.load)
			}
			w.settled(10 * time.Second)
			before := w.moves
			w.run(10 * time.Second)
			if w.moves-before > 10 {
				t.Errorf("%s: %d moves before, and %d in 10 s after things were settled", c.name, before, w.moves-before)
			}
		}
	}
}

// TestAllFull has no machine with room. Nothing moves, and nobody asks without end.
func TestAllFull(t *testing.T) {
	w := newWorld(t, 1)
	for i := range 5 {
		h := w.add(1024*mib, 2)
		h.taken, h.other = 480*mib, 2
		w.put(h, 490+2*i, mib, .01)
	}
	w.run(10 * time.Second)
	if w.moves != 0 {
		t.Errorf("%d moves from full machines to full ones", w.moves)
	}
	for _, h := range w.order {
		if st := h.sensor.State(); !st.Memory {
			t.Errorf("machine %d is not full: %+v", h.id, st)
		}
		if h.refusals == 0 || h.refusals > 30 {
			t.Errorf("machine %d has asked %d times in 10 s", h.id, h.refusals)
		}
	}
}

// TestJoin has an empty machine join, and one drain and leave.
func TestJoin(t *testing.T) {
	for seed := range uint64(5) {
		w := newWorld(t, seed)
		for range 3 {
			h := w.add(1024*mib, 4)
			w.put(h, 350, 2*mib, .006)
		}
		w.settled(5 * time.Second)
		if w.moves > 0 {
			t.Fatalf("%d moves between equals", w.moves)
		}
		h := w.add(1024*mib, 4)
		w.settled(30 * time.Second)
		if n := len(h.proclets); n < 150 {
			t.Errorf("a machine that joined has got %d proclets of 1050", n)
		}
		leaver := w.order[0]
		leaver.draining = true
		for _, h := range w.order {
			if h != leaver {
				h.total *= 2
			}
		}
		w.settled(20 * time.Second)
		if n := len(leaver.proclets); n > 0 {
			t.Errorf("%d proclets are left on the machine that drains", n)
		}
	}
}

// TestRandom does whatever to a rack, and looks whether what must hold does; then it leaves
// the rack alone, which must come to rest.
func TestRandom(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(t, seed)
		for range 2 + w.random.IntN(8) {
			h := w.add(uint64(256+w.random.IntN(1024))*mib, 1+w.random.IntN(8))
			w.put(h, w.random.IntN(200), uint64(1+w.random.IntN(1000))*1024, w.random.Float64()*.05)
		}
		for range 60 {
			h := w.order[w.random.IntN(len(w.order))]
			switch w.random.IntN(4) {
			case 0:
				h.taken = uint64(w.random.Float64() * .9 * float64(h.total))
			case 1:
				h.other = float64(w.random.IntN(2 * h.processors))
			case 2:
				for _, r := range h.proclets {
					r.Load = w.random.Float64() * .1
					r.calls = map[Machine]float64{w.order[w.random.IntN(len(w.order))].id: w.random.Float64()}
				}
				h.changed = true
			case 3: // the leader dies
				w.leader = NewLeader(w.policy)
				for _, h := range w.order {
					h.batch = nil
					h.source = NewSource(w.policy)
				}
			}
			w.run(time.Duration(w.random.IntN(200)) * time.Millisecond)
		}
		n := 0
		for _, h := range w.order {
			h.other = 0
			for _, r := range h.proclets {
				r.Load = 0
			}
			h.changed = true
			n += len(h.proclets)
		}
		before := w.moves
		w.settled(20 * time.Second)
		if after := w.moves - before; after > 4*n {
			t.Errorf("%d proclets moved %d times until they had settled", n, after)
		}
	}
}

// TestPick compares the choice of what moves with what is expected of small lists.
func TestPick(t *testing.T) {
	p := Default()
	all := []Candidate{
		{Key: Key{0}, Copy: 10 * mib, Frees: 10 * mib, Load: .5},
		{Key: Key{1}, Copy: mib, Frees: mib, Load: .3},
		{Key: Key{2}, Copy: 64 << 10, Frees: 64 << 10, Load: .1},
		{Key: Key{3}, Copy: mib, Frees: 4 * mib, Load: 0},
		{Key: Key{4}, Copy: mib, Frees: mib, Load: .3, Near: 2, NearBy: .8},
		{Key: Key{5}, Copy: mib, Frees: mib, Load: .3, Calls: 1},
		{Key: Key{6}, Copy: mib, Frees: 8 * mib, Load: .9, Since: time.Hour - time.Millisecond}, // has just come
	}
	for _, c := range []struct {
		name string
		g    Grant
		want string
	}{
		{"what frees most in little time", Grant{To: 2, Kind: Memory, Bytes: 100 * mib, WantBytes: 4 * mib}, "[3]"},
		{"as much as is wanted", Grant{To: 2, Kind: Memory, Bytes: 100 * mib, WantBytes: 6 * mib}, "[3 4 0]"},
		{"what fits", Grant{To: 2, Kind: Memory, Bytes: 2 * mib, WantBytes: 6 * mib}, "[4 1]"},
		{"the busiest in little time, near its callers", Grant{To: 2, Kind: Processor, Bytes: 100 * mib, Load: .75, WantLoad: .7}, "[4 2 1]"},
		{"not where it has no callers", Grant{To: 3, Kind: Processor, Bytes: 100 * mib, Load: 2, WantLoad: .7}, "[2 1 4]"},
		{"all", Grant{To: 3, Kind: Draining, Bytes: 100 * mib}, "[2 1 3 4 6 5 0]"},
		{"nothing", Grant{To: 3, Kind: Memory, Bytes: 1000, WantBytes: 1 << 40}, "[]"},
	} {
		got := []uint64{}
		for _, x := range p.Pick(time.Hour, c.g, all, NewCost()) {
			got = append(got, x.Key[0])
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestCost learns what moves take from moves.
func TestCost(t *testing.T) {
	c := NewCost()
	if us := c.Microseconds(mib); us < 105 || us > 112 {
		t.Errorf("a MiB is expected to take %.1f µs", us)
	}
	for i := range 400 {
		bytes := uint64(i%7) << 16
		c.Learn(bytes, 60*time.Microsecond+time.Duration(bytes)*2)
	}
	fixed, perByte := c.Model()
	if fixed < 55 || fixed > 65 || perByte < .0019 || perByte > .0021 {
		t.Errorf("moves that take 60 µs and 2 ns a byte: %.1f µs and %.4f µs a byte", fixed, perByte)
	}
	for range 1000 {
		c.Learn(mib, 500*time.Microsecond)
	}
	if us := c.Microseconds(mib); us < 450 || us > 550 {
		t.Errorf("a MiB, which has always taken 500 µs, is expected to take %.1f", us)
	}
}

// TestSensor gives a sensor samples and compares when it says what.
func TestSensor(t *testing.T) {
	s := NewSensor(Default())
	at := time.Duration(0)
	add := func(x Sample) string {
		at += time.Millisecond
		x.At, x.Total, x.Processors = at, 1024*mib, 2
		s.Add(x)
		st := s.State()
		return fmt.Sprint(st.Memory, st.Processor)
	}
	expect := func(what, want string, x Sample) {
		t.Helper()
		if got := add(x); got != want {
			t.Errorf("%s: memory and processor pressure %s, want %s", what, got, want)
		}
	}
	expect("at rest", "false false", Sample{Free: 900 * mib})
	for range 20 {
		expect("a burst out of rest", "false false", Sample{Free: 900 * mib, Running: 1, Waiting: 1})
	}
	for range 100 {
		expect("at work", "false false", Sample{Free: 900 * mib, Running: 2})
	}
	for range 4 {
		expect("threads wait for 4 ms", "false false", Sample{Free: 900 * mib, Running: 2, Waiting: 1})
	}
	expect("and then do not", "false false", Sample{Free: 900 * mib, Running: 2})
	for range 5 {
		expect("threads wait again", "false false", Sample{Free: 900 * mib, Running: 2, Waiting: 1})
	}
	expect("for 5 ms", "false true", Sample{Free: 900 * mib, Running: 2, Waiting: 1})
	for range 19 {
		expect("and then do not", "false true", Sample{Free: 900 * mib, Running: 2})
	}
	if w := s.State().Waiting; w != 0 {
		t.Errorf("nobody waits, but it says so for %v", w)
	}
	expect("for 20 ms", "false false", Sample{Free: 900 * mib, Running: 2})
	at += 20 * time.Millisecond // the sensor itself has waited
	expect("two looks", "false false", Sample{Free: 900 * mib, Running: 2, Waiting: 1})
	at += 20 * time.Millisecond
	expect("are no evidence", "false false", Sample{Free: 900 * mib, Running: 2, Waiting: 1})
	expect("three are", "false true", Sample{Free: 900 * mib, Running: 2, Waiting: 1})
	s = NewSensor(Default())
	free := uint64(400 * mib)
	for add(Sample{Free: free}) == "false false" {
		free -= 4 * mib // 4 GiB/s: 200 MiB in 50 ms
	}
	if free < 180*mib || free > 280*mib {
		t.Errorf("falling memory is low when %s are left", Size(free))
	}
	for range 100 {
		add(Sample{Free: free})
	}
	expect("it falls no more", "false false", Sample{Free: free})
	expect("below the watermark", "true false", Sample{Free: 60 * mib})
	for range 100 {
		expect("not much above it", "true false", Sample{Free: 70 * mib})
	}
	expect("a quarter above it", "false false", Sample{Free: 81 * mib})
}

// TestArrivalIsNoFall has a large proclet arrive, and leave, which is no trend.
func TestArrivalIsNoFall(t *testing.T) {
	s := NewSensor(Default())
	x := Sample{Free: 500 * mib, Total: 1024 * mib, Processors: 4}
	for range 100 {
		x.At += time.Millisecond
		s.Add(x)
	}
	for _, moved := range []int64{+200 * mib, -200 * mib} {
		x.At, x.Free, x.Moved = x.At+time.Millisecond, uint64(int64(x.Free)-moved), x.Moved+moved
		if s.Add(x); s.State().Fall != 0 || s.State().Memory {
			t.Errorf("%d bytes moved: memory falls by %g bytes a second, pressure %v", moved, s.State().Fall, s.State().Memory)
		}
	}
	x.At, x.Free = x.At+time.Millisecond, x.Free-150*mib
	if s.Add(x); !s.State().Memory {
		t.Error("a real fall is no pressure")
	}
}
