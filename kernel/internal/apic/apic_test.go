//go:build !metal

package apic

import (
	"fmt"
	"slices"
	"testing"

	"nuos/kernel/internal/x86"
)

// model is a processor with a local APIC. What the manual forbids fails the test.
type model struct {
	x86.Model // what it does not have panics
	t         *testing.T

	features uint32 // ECX of CPUID leaf 1
	base     uint64 // IA32_APIC_BASE
	regs     map[uint32]uint32
	id       uint32
	busy     int // how many reads the ICR will be seen pending for
	sent     []string

	tsc      uint64
	deadline uint64
	started  uint64 // TSC when the timer was set
	perTick  uint64 // TSC ticks for each of the timer's
}

const (
	x2Feature       = 1 << 21
	deadlineFeature = 1 << 24
	registersAt     = 0xFEE0_0000
	mappedAt        = 0x1000
)

func newModel(t *testing.T, features uint32) *model {
	m := &model{t: t, features: features, base: registersAt | 1<<11, regs: map[uint32]uint32{}, perTick: 3}
	x86.Machine = m
	return m
}

// find does what a processor does when it comes up.
func (m *model) find() *Local {
	m.t.Helper()
	l := new(Local)
	switch registers := l.Find(); {
	case m.features&x2Feature != 0 && registers != 0:
		m.t.Errorf("registers of an x2APIC to be mapped at %#x", registers)
	case m.features&x2Feature == 0 && registers != registersAt:
		m.t.Errorf("registers at %#x, want %#x", registers, registersAt)
	default:
		l.Map(mappedAt)
	}
	return l
}

func (m *model) CPUID(leaf, sub uint32) (a, b, c, d uint32) { return 0, 0, m.features, 0 }
func (m *model) ReadTSC() uint64                            { m.tsc += 10; return m.tsc }
func (m *model) Pause()                                     {}

func (m *model) ReadMSR(msr uint32) uint64 {
	switch {
	case msr == msrBase:
		return m.base
	case msr >= 0x800 && msr < 0x900:
		m.wantMode(true)
		return uint64(m.read(msr - 0x800))
	}
	m.t.Errorf("RDMSR of %#x: general protection", msr)
	return 0
}

func (m *model) WriteMSR(msr uint32, v uint64) {
	switch {
	case msr == msrBase:
		was, is := m.base>>10&3, v>>10&3
		if is == 1 || was == 3 && is == 2 || was == 0 && is == 3 { // SDM vol. 3, figure 11-27
			m.t.Errorf("IA32_APIC_BASE from mode %b to %b: general protection", was, is)
		}
		if is == 3 && m.features&x2Feature == 0 {
			m.t.Error("x2APIC mode on a processor without it: general protection")
		}
		m.base = v
	case msr == 0x6E0 && m.features&deadlineFeature != 0:
		if m.regs[0x32]>>17&3 == 2 { // ignored otherwise
			m.deadline = v
		}
	case msr == 0x830:
		m.wantMode(true)
		m.sent = append(m.sent, fmt.Sprintf("%#x to %#x", uint32(v), v>>32))
	case msr >= 0x800 && msr < 0x900:
		m.wantMode(true)
		if v>>32 != 0 {
			m.t.Errorf("WRMSR of %#x: reserved bits in %#x", msr, v)
		}
		m.write(msr-0x800, uint32(v))
	default:
		m.t.Errorf("WRMSR of %#x: general protection", msr)
	}
}

// offset is the number of the register at an address.
func (m *model) offset(addr uintptr) uint32 {
	m.wantMode(false)
	if addr < mappedAt || addr >= mappedAt+0x400 || addr%16 != 0 {
		m.t.Errorf("access to %#x, which is no register", addr)
	}
	return uint32(addr-mappedAt) >> 4
}

func (m *model) Load32(addr uintptr) uint32 { return m.read(m.offset(addr)) }

func (m *model) Store32(addr uintptr, v uint32) {
	reg := m.offset(addr)
	if reg == 0x30 {
		if m.busy > 0 {
			m.t.Error("the interrupt command register is written while a command is pending")
		}
		m.busy = 3
		m.sent = append(m.sent, fmt.Sprintf("%#x to %#x", v, m.regs[0x31]>>24))
	}
	m.write(reg, v)
}

func (m *model) wantMode(x2 bool) {
	m.t.Helper()
	if m.base>>11&1 == 0 || m.base>>10&1 != 0 != x2 {
		m.t.Errorf("access of x2APIC %v in mode %b", x2, m.base>>10&3)
	}
}

func (m *model) read(reg uint32) uint32 {
	switch reg {
	case 0x02:
		if m.base>>10&1 != 0 {
			return m.id
		}
		return m.id << 24
	case 0x0B:
		m.t.Error("the end-of-interrupt register cannot be read")
	case 0x30:
		if m.busy > 0 {
			m.busy--
			return 1 << 12
		}
	case 0x39:
		return m.left()
	}
	return m.regs[reg]
}

func (m *model) write(reg, v uint32) {
	switch reg {
	case 0x02, 0x39:
		m.t.Errorf("register %#x cannot be written", reg)
	case 0x0B:
		if v != 0 {
			m.t.Errorf("%#x is written to the end-of-interrupt register", v)
		}
	case 0x32:
		if v>>17&3 == 2 && m.features&deadlineFeature == 0 {
			m.t.Error("a deadline on a processor without: reserved bits")
		}
	case 0x38:
		m.started = m.tsc
		if m.regs[0x32]>>17&3 == 2 {
			return // ignored
		}
	}
	m.regs[reg] = v
}

// left is what the counter has.
func (m *model) left() uint32 {
	m.tsc += 10
	initial, passed := uint64(m.regs[0x38]), (m.tsc-m.started)/m.perTick
	return uint32(initial - min(initial, passed))
}

// due is when the timer interrupts, after when it was set; never if it does not.
func (m *model) due() uint64 {
	const never = ^uint64(0)
	switch {
	case m.regs[0x32]>>16&1 != 0 || m.regs[0x08]>>8&1 != 0:
		return never
	case m.regs[0x32]>>17&3 == 2:
		return m.deadline - m.tsc
	case m.regs[0x32]>>17&3 != 0 || m.regs[0x38] == 0 || m.regs[0x3E] != 0b1011:
		return never
	}
	return uint64(m.regs[0x38]) * m.perTick
}

// eachKind runs a test with an APIC of each kind.
func eachKind(t *testing.T, f func(t *testing.T, m *model)) {
	for _, features := range []uint32{0, x2Feature, deadlineFeature, x2Feature | deadlineFeature} {
		t.Run(fmt.Sprintf("x2APIC=%v,deadline=%v", features&x2Feature != 0, features&deadlineFeature != 0), func(t *testing.T) {
			f(t, newModel(t, features))
		})
	}
}

func TestEnable(t *testing.T) {
	eachKind(t, func(t *testing.T, m *model) {
		for _, nmi := range []bool{true, false} {
			m.base, m.regs = registersAt|1<<11, map[uint32]uint32{0x08: 0x20}
			l := m.find()
			l.Enable(0xF0, 0xFF, nmi)
			lint1 := uint32(1 << 16)
			if nmi {
				lint1 = 4 << 8
			}
			for reg, want := range map[uint32]uint32{0x08: 0, 0x0F: 0x1FF, 0x35: 1 << 16, 0x36: lint1, 0x37: 1 << 16, 0x3E: 0b1011} {
				if got := m.regs[reg]; got != want {
					t.Errorf("register %#x is %#x, want %#x", reg, got, want)
				}
			}
			if got := m.regs[0x32] & 0x100FF; got != 0xF0 {
				t.Errorf("the timer's entry is %#x, want vector 0xf0, not masked", m.regs[0x32])
			}
		}
	})
}

// TestSecondProcessor has a processor come up that nobody has looked at the features of,
// with its APIC in xAPIC mode.
func TestSecondProcessor(t *testing.T) {
	eachKind(t, func(t *testing.T, m *model) {
		l := m.find()
		m.base, m.id = registersAt|1<<11, 7
		l.Enable(0xF0, 0xFF, false)
		if got := l.ID(); got != 7 {
			t.Errorf("identity %d, want 7", got)
		}
	})
}

func TestSend(t *testing.T) {
	eachKind(t, func(t *testing.T, m *model) {
		l := m.find()
		to := uint32(0xFE)
		if m.features&x2Feature != 0 {
			to = 0x12345
		}
		if !l.Reaches(to) || l.Reaches(0xFF) != (m.features&x2Feature != 0) {
			t.Errorf("%#x reached: %v, 0xff: %v", to, l.Reaches(to), l.Reaches(0xFF))
		}
		l.Send(to, 0xF1)
		l.Send(to, NMI)
		l.Send(1, Init)
		l.Send(1, StartUp|8)
		want := []string{fmt.Sprintf("0x40f1 to %#x", to), fmt.Sprintf("0x4400 to %#x", to), "0x4500 to 0x1", "0x4608 to 0x1"}
		if !slices.Equal(m.sent, want) {
			t.Errorf("sent %q, want %q", m.sent, want)
		}
	})
}

func TestTimer(t *testing.T) {
	eachKind(t, func(t *testing.T, m *model) {
		l := m.find()
		l.Enable(0xF0, 0xFF, true)
		const perNano = 3 // TSC ticks, and so one of the timer's
		if l.UsesTSC() {
			l.SetRate(perNano << 32)
		} else {
			l.SetRate(1 << 32)
		}
		// A counter of 32 bits cannot wait longer.
		longest := uint64(1<<63 - 1)
		if !l.UsesTSC() {
			longest = (1<<32 - 1) * perNano
		}
		for _, ns := range []uint64{1, 1000, 5e6, 4e9, 1e15, 1<<63 - 1} {
			l.SetTimer(ns)
			want := longest
			if ns < longest/perNano {
				want = ns * perNano
			}
			if got := m.due(); got < want || got-want > perNano {
				t.Errorf("%d ns: due in %d ticks, want %d", ns, got, want)
			}
		}
		l.SetTimer(0)
		if got := m.due(); got > perNano {
			t.Errorf("0 ns: due in %d ticks, want at once", got)
		}
	})
}

func TestCount(t *testing.T) {
	m := newModel(t, x2Feature)
	l := m.find()
	l.Enable(0xF0, 0xFF, true)
	l.StartCount()
	if m.due() != ^uint64(0) {
		t.Error("the timer interrupts while it counts")
	}
	m.tsc += 3 * 12345
	if got := l.Count(); got < 12345 || got > 12345+10 {
		t.Errorf("%d ticks, want 12345", got)
	}
	l.StopCount(0xF0)
	l.SetRate(1 << 32)
	l.SetTimer(1000)
	if got := m.due(); got < 3000 || got > 3010 {
		t.Errorf("after counting, 1000 ns are %d ticks, want 3000", got)
	}
}
