//go:build !metal

package tsc

import (
	"encoding/binary"
	"math/bits"
	"testing"
	"unsafe"

	"nuos/kernel/internal/x86"
)

// model is a machine in which every access takes some time. What it does not have reads as
// all ones, as on a PC.
type model struct {
	x86.Model // what it does not have panics
	t         *testing.T

	now   uint64 // femtoseconds
	hz    uint64 // of the TSC
	extra uint64 // ticks that the TSC has more
	calls int
	stall map[int]uint64 // femtoseconds for which the machine stops, by the number of the access

	hpetPeriod  uint32 // fs; 0: no HPET
	hpetEnabled uint64 // since when it counts; 0: it does not
	hpetDead    bool
	pm          bool
	pmBits      uint
	pit         bool
	pitSince    uint64 // when it was loaded; 0: it is not
	pitBytes    int
	latch       []uint8

	leaves map[uint32][4]uint32
	kvm    *systemTime // what it says, at the time 0
	wall   [3]uint32
	phys   uint64
	page   []byte
}

const (
	hpetAt = 0x7000_FED0_0000
	pmPort = 0x608
)

func newModel(t *testing.T) *model {
	m := &model{t: t, now: 1e12, hz: 2_445_424_000, leaves: map[uint32][4]uint32{}}
	x86.Machine = m
	return m
}

// tick is the time that an access takes, 400 ns or so, and what comes in between.
func (m *model) tick() {
	m.calls++
	m.now += 300e6 + uint64(m.calls*7919%200)*1e6 + m.stall[m.calls]
}

// count is how often something with a period comes in an interval.
func count(interval, period uint64) uint64 { return interval / period }

func (m *model) ReadTSC() uint64 {
	m.now += 20e6
	hi, lo := bits.Mul64(m.now, m.hz)
	ticks, _ := bits.Div64(hi, lo, 1e15)
	return ticks + m.extra
}

func (m *model) Load32(addr uintptr) uint32 {
	m.tick()
	switch {
	case m.hpetPeriod == 0:
		return 1<<32 - 1
	case addr == hpetAt+4:
		return m.hpetPeriod
	case addr == hpetAt+0x10:
		return 0
	case addr == hpetAt+0xF0 && m.hpetEnabled != 0 && !m.hpetDead:
		return uint32(count(m.now-m.hpetEnabled, uint64(m.hpetPeriod)))
	}
	return 0
}

func (m *model) Store32(addr uintptr, v uint32) {
	m.tick()
	if addr == hpetAt+0x10 && v == 1 {
		m.hpetEnabled = m.now
	}
}

func (m *model) In32(port uint16) uint32 {
	m.tick()
	if port != pmPort || !m.pm {
		return 1<<32 - 1
	}
	return uint32(count(m.now, 279365114)) & (1<<m.pmBits - 1)
}

func (m *model) Out8(port uint16, v uint8) {
	m.tick()
	switch {
	case !m.pit:
	case port == 0x43 && v == 0x30:
		m.pitSince, m.pitBytes, m.latch = 0, 0, nil
	case port == 0x43 && v == 0xC2:
		if m.latch != nil {
			return // what is latched stays until it is read
		}
		if m.pitSince == 0 {
			m.latch = []uint8{1 << 6, 0, 0}
			return
		}
		passed := count(m.now-m.pitSince, 838095110)
		status := uint8(0x30)
		if passed > 0xFFFF {
			status |= 1 << 7
		}
		left := uint16(0xFFFF - passed)
		m.latch = []uint8{status, uint8(left), uint8(left >> 8)}
	case port == 0x40 && v == 0xFF:
		if m.pitBytes++; m.pitBytes == 2 {
			m.pitSince = m.now
		}
	default:
		m.t.Errorf("%#x is written to port %#x", v, port)
	}
}

func (m *model) In8(port uint16) uint8 {
	m.tick()
	if port != 0x40 || !m.pit {
		return 0xFF
	}
	if len(m.latch) == 0 {
		m.t.Error("the interval timer is read without a latch")
		return 0
	}
	v := m.latch[0]
	if m.latch = m.latch[1:]; len(m.latch) == 0 {
		m.latch = nil
	}
	return v
}

func (m *model) CPUID(leaf, sub uint32) (a, b, c, d uint32) {
	r := m.leaves[leaf]
	return r[0], r[1], r[2], r[3]
}

// has gives the processor a leaf of CPUID, and all before it.
func (m *model) has(leaf uint32, a, b, c, d uint32) {
	m.leaves[leaf] = [4]uint32{a, b, c, d}
	first := leaf & 0xF000_0000
	if first != 0 {
		m.leaves[1] = [4]uint32{2: 1 << 31}
	}
	if most := m.leaves[first]; most[0] < leaf {
		most[0] = leaf
		m.leaves[first] = most
	}
}

// hypervisor gives the hypervisor its name.
func (m *model) hypervisor(name string) {
	m.has(0x4000_0001, 0, 0, 0, 0)
	b := append([]byte(name), make([]byte, 12)...)
	m.leaves[0x4000_0000] = [4]uint32{m.leaves[0x4000_0000][0], binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}
}

func (m *model) WriteMSR(msr uint32, v uint64) {
	switch {
	case msr == 0x4B564D01 && v == m.phys|1:
		*(*systemTime)(unsafe.Pointer(&m.page[0])) = *m.kvm
	case msr == 0x4B564D01 && v == 0:
	case msr == 0x4B564D00 && v == m.phys:
		*(*[3]uint32)(unsafe.Pointer(&m.page[0])) = m.wall
	default:
		m.t.Errorf("%#x is written to MSR %#x", v, msr)
	}
}

func (m *model) ReadMSR(msr uint32) uint64 {
	m.t.Errorf("MSR %#x is read", msr)
	return 0
}

func (m *model) Pause() { m.now += 40e6 }
