//go:build !metal

package tsc

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestInvariant(t *testing.T) {
	m := newModel(t)
	if Invariant() {
		t.Error("a processor that says nothing is invariant")
	}
	m.has(0x8000_0007, 0, 0, 0, 1<<8)
	if !Invariant() {
		t.Error("a processor that says so is not invariant")
	}
	m.has(0x8000_0007, 0, 0, 0, ^uint32(1<<8))
	if Invariant() {
		t.Error("a processor that says all else is invariant")
	}
	m.leaves[0x8000_0000], m.leaves[0x8000_0007] = [4]uint32{0x8000_0006}, [4]uint32{3: 1 << 8}
	if Invariant() {
		t.Error("a leaf that is not there is believed")
	}
}

// counters are those that a steady clock can go by.
var counters = []struct {
	name    string
	machine func(m *model)
	round   uint64 // fs
}{
	{"HPET", func(m *model) { m.hpetPeriod = 10e6 }, 1 << 32 * 10e6},
	{"ACPI timer", func(m *model) { m.pm, m.pmBits = true, 24 }, 1 << 24 * 279365114},
}

func startSteady(t *testing.T, machine func(m *model)) (*model, *Steady) {
	m := newModel(t)
	machine(m)
	var c Counter
	s := new(Steady)
	if !c.Start(Hardware{HPET: hpetAt, PMTimer: pmPort}) || !s.Follow(&c) {
		t.Fatal("there is no steady clock")
	}
	return m, s
}

// TestSteady looks at the clock at random times, over many rounds of its counter.
func TestSteady(t *testing.T) {
	for _, c := range counters {
		seed := uint64(time.Now().UnixNano())
		random := rand.New(rand.NewPCG(seed, 0))
		m, s := startSteady(t, c.machine)
		begin, last := m.now, uint64(0)
		for range 500 {
			m.now += random.Uint64N(c.round / 2)
			m.hz = 1e9 + random.Uint64N(1e9) // who cares
			got, want := s.Nanoseconds(), (m.now-begin)/1e6
			if d := int64(got - want); max(d, -d) > int64(want/10000)+5000 || got < last {
				t.Fatalf("%s, seed %#x: %d ns, want %d; it was %d", c.name, seed, got, want, last)
			}
			last = got
		}
		// Another processor has read the counter a little later, and put it down before.
		s.count.Add(50)
		ahead := s.Nanoseconds()
		if s.count.Add(1); ahead <= last {
			t.Errorf("%s: the clock goes back from %d to %d", c.name, last, ahead)
		}
	}
	m := newModel(t)
	m.pit = true
	var c Counter
	if !c.Start(Hardware{}) || new(Steady).Follow(&c) {
		t.Error("the interval timer, which ends, is a steady clock")
	}
}

func TestWatch(t *testing.T) {
	const interval = 5e14 // fs: half a second
	for _, c := range counters {
		for _, w := range []struct {
			name   string
			spoil  func(m *model)
			strays bool
		}{
			{"right", func(*model) {}, false},
			{"late by some rounds", func(m *model) { m.now += 1e16 + 3*c.round }, false},
			{"late by hours", func(m *model) { m.now += 1e19 }, false},
			{"a little fast", func(m *model) { m.extra += m.hz / 2 / 500 }, false},
			{"fast", func(m *model) { m.extra += m.hz / 2 / 20 }, true},
			{"slow", func(m *model) { m.extra -= m.hz / 2 / 20 }, true},
			{"twice as fast", func(m *model) { m.extra += m.hz / 2 }, true},
			{"stopped", func(m *model) { m.extra -= m.hz * 49 / 100 }, true},
			{"goes back", func(m *model) { m.extra -= m.hz * 10 }, true},
			{"jumps", func(m *model) { m.extra += m.hz * 3600 * 24 * 365 }, true},
			{"processor taken away in a reading", func(m *model) {
				for i := range 5 {
					m.stall[m.calls+1+i] = 1e13
				}
			}, false},
		} {
			m, s := startSteady(t, c.machine)
			m.stall = map[int]uint64{}
			var watch Watch
			watch.Begin(s, m.hz)
			for range 20 {
				if m.now += interval; watch.Strays() {
					t.Fatalf("%s, %s: strays while it is right", c.name, w.name)
				}
			}
			m.now += interval
			w.spoil(m)
			if got := watch.Strays(); got != w.strays {
				t.Errorf("%s, %s: strays %t, want %t", c.name, w.name, got, w.strays)
			}
			if m.now += interval; watch.Strays() {
				t.Errorf("%s, %s: strays afterwards", c.name, w.name)
			}
		}
	}
}
