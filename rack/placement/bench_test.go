package placement

import (
	"math/rand/v2"
	"testing"
	"time"
)

// BenchmarkSensor is what a look costs.
func BenchmarkSensor(b *testing.B) {
	s := NewSensor(Default())
	for i := 0; b.Loop(); i++ {
		s.Add(Sample{At: time.Duration(i) * time.Millisecond, Free: 1 << 29, Total: 1 << 30, Processors: 4, Running: i & 3})
	}
}

// BenchmarkAsk is a request in a rack of 1,000 machines, and its end.
func BenchmarkAsk(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	p := Default()
	p.Stale = 1 << 62
	l := NewLeader(p)
	for i := range 1000 {
		l.Report(0, Machine(i+1), State{Free: r.Uint64N(1 << 30), Total: 1 << 30, Watermark: 64 << 20, Processors: 4, Load: 4 * r.Float64()}, false)
	}
	for i := 0; b.Loop(); i++ {
		from := Machine(i%1000 + 1)
		now := time.Duration(i) * time.Millisecond
		l.Ask(now, Request{From: from, Kind: Memory, Bytes: 1 << 20, Least: 1 << 12, Callers: []Share{{7, .3}, {8, .2}}})
		l.Done(now, from, 0, 0)
	}
}

// BenchmarkPick chooses among a million proclets.
func BenchmarkPick(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	p, cost := Default(), NewCost()
	all := make([]Candidate, 1_000_000)
	for i := range all {
		size := r.Uint64N(1 << 20)
		all[i] = Candidate{Key: Key{uint64(i)}, Copy: size, Frees: size, Load: r.Float64() / 1000}
	}
	for b.Loop() {
		p.Pick(time.Hour, Grant{To: 2, Kind: Memory, Bytes: 1 << 30, WantBytes: 1 << 28}, all, cost)
	}
}
