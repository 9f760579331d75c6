//go:build !metal

package entropy

import (
	"testing"

	"nuos/kernel/internal/x86"
)

// processor is a model of one, whose instructions fail or say the same now and then.
type processor struct {
	x86.Model // what it does not have panics

	most         uint32
	random, seed bool // by CPUID
	fails        int  // how often in a row, between successes
	constant     bool
	calls        int
	value        uint64
}

func (m *processor) CPUID(leaf, sub uint32) (a, b, c, d uint32) {
	switch {
	case leaf == 0:
		return m.most, 0, 0, 0
	case leaf == 1 && m.random:
		return 0, 0, 1 << 30, 0
	case leaf == 7 && m.seed:
		return 0, 1 << 18, 0, 0
	}
	return 0, 0, 0, 0
}

func (m *processor) draw() (uint64, bool) {
	if m.calls++; m.calls%(m.fails+1) != 0 {
		return 0, false
	}
	if !m.constant {
		m.value += 0x9E3779B97F4A7C15
	}
	return m.value, true
}

func (m *processor) Random() (uint64, bool) {
	if !m.random {
		panic("RDRAND is an invalid opcode")
	}
	return m.draw()
}

func (m *processor) Seed() (uint64, bool) {
	if !m.seed {
		panic("RDSEED is an invalid opcode")
	}
	return m.draw()
}

func (m *processor) Pause() {}

func TestProcessor(t *testing.T) {
	for _, c := range []struct {
		name   string
		m      processor
		seeded bool
		asked  bool
	}{
		{"neither", processor{most: 13}, false, false},
		{"RDRAND", processor{most: 13, random: true}, true, true},
		{"RDSEED", processor{most: 13, seed: true}, true, true},
		{"both", processor{most: 13, random: true, seed: true}, true, true},
		{"leaf 7 does not exist", processor{most: 6, seed: true}, false, false},
		{"slow", processor{most: 13, random: true, fails: 9}, true, true},
		{"exhausted", processor{most: 13, random: true, fails: 1 << 30}, false, true},
		{"constant", processor{most: 13, random: true, constant: true, value: ^uint64(0)}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x86.Machine = &c.m
			var p, without Pool
			p.MixProcessor()
			if got := p.Seeded(); got != c.seeded {
				t.Errorf("seeded: %v, want %v", got, c.seeded)
			}
			if got := p.Word() != without.Word(); got != c.asked {
				t.Errorf("mixed in: %v, want %v", got, c.asked)
			}
		})
	}
}
