//go:build !metal

package tsc

import (
	"testing"
	"unsafe"

	"nuos/kernel/internal/apic"
	"nuos/kernel/internal/x86"
)

// close reports whether a rate is measured as well as can be: 200 parts in a million.
func close(got, want uint64) bool {
	d := int64(got) - int64(want)
	return max(d, -d) < int64(want/5000)
}

func TestKnown(t *testing.T) {
	for _, c := range []struct {
		name    string
		machine func(m *model)
		want    Rate
		apic    uint64
	}{
		{"nothing", func(*model) {}, Rate{}, 0},
		{"timing leaf", func(m *model) { m.has(0x4000_0010, 2_100_000, 66_000, 0, 0) }, Rate{2_100_000_000, Hypervisor}, 66_000_000},
		{"timing leaf that says nothing", func(m *model) { m.has(0x4000_0010, 0, 0, 0, 0) }, Rate{}, 0},
		{"no hypervisor", func(m *model) {
			m.has(0x4000_0010, 2_100_000, 66_000, 0, 0)
			m.leaves[1] = [4]uint32{}
		}, Rate{}, 0},
		{"hypervisor before the timing leaf", func(m *model) {
			m.hypervisor("KVMKVMKVM")
			m.leaves[0x4000_0010] = [4]uint32{1, 2, 3, 4}
		}, Rate{}, 0},
		{"crystal", func(m *model) { m.has(0x15, 2, 188, 24_000_000, 0) }, Rate{2_256_000_000, Crystal}, 24_000_000},
		{"crystal of unknown rate", func(m *model) { m.has(0x15, 2, 188, 0, 0) }, Rate{}, 0},
		{"no ratio", func(m *model) { m.has(0x15, 0, 0, 24_000_000, 0) }, Rate{}, 24_000_000},
		{"processor before the crystal", func(m *model) {
			m.has(0x0D, 0, 0, 0, 0)
			m.leaves[0x15] = [4]uint32{2, 188, 24_000_000, 0}
		}, Rate{}, 0},
		{"base frequency", func(m *model) { m.has(0x16, 2400, 3600, 100, 0) }, Rate{}, 0},
		{"emulator", func(m *model) { m.hypervisor("TCGTCGTCGTCG") }, Rate{}, 1_000_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.machine(newModel(t))
			if got := Known(); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
			if got := APICRate(); got != c.apic {
				t.Errorf("APIC %d Hz, want %d", got, c.apic)
			}
		})
	}
}

func TestNominal(t *testing.T) {
	m := newModel(t)
	if got := Nominal(); got != (Rate{}) {
		t.Errorf("%v of a processor that says nothing", got)
	}
	m.has(0x16, 2400, 3600, 100, 0)
	if got, want := Nominal(), (Rate{2_400_000_000, BaseFrequency}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}

// TestMeasure measures while the machine does other things for a time.
func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		name    string
		machine func(m *model, h *Hardware)
		want    Source
	}{
		{"nothing", func(*model, *Hardware) {}, None},
		{"HPET", func(m *model, h *Hardware) { m.hpetPeriod = 10e6; m.pm = true }, HPET},
		{"slow HPET", func(m *model, h *Hardware) { m.hpetPeriod = 69_841_279 }, HPET},
		{"HPET that counts nothing", func(m *model, h *Hardware) { m.hpetPeriod = 10e6; m.hpetDead = true; m.pm = true }, PMTimer},
		{"HPET out of bounds", func(m *model, h *Hardware) { m.hpetPeriod = 100e6 + 1; m.pit = true }, IntervalTimer},
		{"HPET that is not there", func(m *model, h *Hardware) { m.pm = true }, PMTimer},
		{"ACPI timer", func(m *model, h *Hardware) { h.HPET = 0; m.pm = true }, PMTimer},
		{"ACPI timer of 32 bits", func(m *model, h *Hardware) { h.HPET = 0; m.pm = true; m.pmBits = 32; h.PMTimer32 = true }, PMTimer},
		{"ACPI timer that is not there", func(m *model, h *Hardware) { m.pit = true }, IntervalTimer},
		{"interval timer", func(m *model, h *Hardware) { *h = Hardware{}; m.pit = true }, IntervalTimer},
	} {
		t.Run(c.name, func(t *testing.T) {
			// From nothing, after which the measurement has to wait, to more than the
			// interval timer can count.
			for _, busy := range []uint64{0, 1e12, 8e12, 50e12, 200e12} {
				m := newModel(t)
				m.pmBits = 24
				h := Hardware{HPET: hpetAt, PMTimer: pmPort}
				c.machine(m, &h)
				var counter Counter
				if got := counter.Start(h); got != (c.want != None) {
					t.Fatalf("started: %v", got)
				}
				if c.want == None {
					continue
				}
				m.now += busy
				begin := m.now
				got := counter.Rate()
				if got.Source != c.want || !close(got.Hz, m.hz) {
					t.Errorf("after %d fs: %d Hz by %v, want %d by %v", busy, got.Hz, got.Source, m.hz, c.want)
				}
				if took := m.now - begin; busy >= 8e12 && busy <= 50e12 && took > 1e11 {
					t.Errorf("after %d fs, the end of the measurement takes %d", busy, took)
				}
			}
		})
	}
}

// TestStalls takes the processor away for a while in the middle of a measurement, which
// makes counters come round.
func TestStalls(t *testing.T) {
	for _, c := range []struct {
		source Source
		stall  uint64
	}{{IntervalTimer, 60e12}, {IntervalTimer, 3e15}, {PMTimer, 4.69e15}, {PMTimer, 1e12}, {HPET, 42.95e15}} {
		for at := range 60 {
			m := newModel(t)
			m.pmBits = 24
			m.hpetPeriod, m.pm, m.pit = 10e6, c.source == PMTimer, c.source == IntervalTimer
			if c.source != HPET {
				m.hpetPeriod = 0
			}
			m.stall = map[int]uint64{at: c.stall}
			var counter Counter
			if !counter.Start(Hardware{HPET: hpetAt, PMTimer: pmPort}) {
				continue // it seemed to stand still; the next one would be taken
			}
			if got := counter.Rate(); !close(got.Hz, m.hz) || got.Source != c.source {
				t.Errorf("%v, stall of %d fs at %d: %d Hz by %v, want %d", c.source, c.stall, at, got.Hz, got.Source, m.hz)
			}
		}
	}
}

// TestMove has the HPET's registers at another address when the measurement ends.
func TestMove(t *testing.T) {
	m := newModel(t)
	m.hpetPeriod = 10e6
	var counter Counter
	if !counter.Start(Hardware{HPET: hpetAt}) || !counter.UsesHPET() {
		t.Fatal("the HPET is not used")
	}
	counter.Move(0x1000)
	if got := counter.Rate(); got != (Rate{}) {
		t.Errorf("%v without registers", got)
	}
	counter.Move(hpetAt)
	if got := counter.Rate(); !close(got.Hz, m.hz) {
		t.Errorf("%d Hz, want %d", got.Hz, m.hz)
	}
}

// apicModel is a model with a local APIC in xAPIC mode.
type apicModel struct {
	*model
	started uint64
}

func (m *apicModel) ReadMSR(uint32) uint64   { return 0xFEE0_0000 | 1<<11 }
func (m *apicModel) WriteMSR(uint32, uint64) {}

func (m *apicModel) Load32(addr uintptr) uint32 {
	m.tick()
	if addr == 0x390 {
		return 1<<32 - 1 - uint32((m.now-m.started)/1e6)
	}
	return 0
}

func (m *apicModel) Store32(addr uintptr, v uint32) {
	if addr == 0x380 {
		m.started = m.now
	}
}

func TestEmulated(t *testing.T) {
	m := newModel(t)
	m.hypervisor("TCGTCGTCGTCG")
	x86.Machine = &apicModel{model: m}
	if !Emulated() {
		t.Fatal("the emulator is not known")
	}
	var local apic.Local
	local.Find()
	var counter Counter
	if counter.Start(Hardware{}) {
		t.Error("a counter is found on a machine without any")
	}
	if !counter.StartEmulated(local) {
		t.Fatal("the APIC's timer does not count")
	}
	if got := counter.Rate(); got.Source != EmulatedAPIC || !close(got.Hz, m.hz) {
		t.Errorf("%d Hz by %v, want %d", got.Hz, got.Source, m.hz)
	}
}

func TestKVM(t *testing.T) {
	const phys = 0x123000
	for _, shift := range []int8{-1, 0, 2} {
		m := newModel(t)
		m.hypervisor("KVMKVMKVM")
		m.page, m.phys = make([]byte, 4096), phys
		page := uintptr(unsafe.Pointer(&m.page[0]))
		// ns = (ticks << shift) * mult >> 32
		mult := float64(1e9) / float64(m.hz) * (1 << 32)
		for s := shift; s > 0; s-- {
			mult /= 2
		}
		for s := shift; s < 0; s++ {
			mult *= 2
		}
		m.kvm = &systemTime{version: 2, tsc: 1000, time: 5e9, mult: uint32(mult), shift: shift}
		m.wall = [3]uint32{2, 1_700_000_000, 500}
		if _, ok := ReadKVM(page, phys); ok {
			t.Error("a KVM without the clock is asked for it")
		}
		m.leaves[0x4000_0001] = [4]uint32{1 << 3}
		k, ok := ReadKVM(page, phys)
		if !ok {
			t.Fatal("no clock")
		}
		if got := k.Rate(); got.Source != KVMClock || !close(got.Hz, m.hz) {
			t.Errorf("shift %d: %d Hz by %v, want %d", shift, got.Hz, got.Source, m.hz)
		}
		got := k.Wall()
		want := uint64(1_700_000_000_000_000_500) + 5e9 + (m.ReadTSC()-1000)*1e9/m.hz
		if d := int64(got - want); d > 10_000 || d < -10_000 {
			t.Errorf("shift %d: the time is %d, want %d", shift, got, want)
		}
		m.wall = [3]uint32{}
		if got := k.Wall(); got != 0 {
			t.Errorf("the time is %d of a KVM that does not know", got)
		}
		m.kvm.mult = 0
		if _, ok := ReadKVM(page, phys); ok {
			t.Error("a clock that does not run is used")
		}
	}
	newModel(t)
	if _, ok := ReadKVM(0, 0); ok {
		t.Error("a machine without hypervisor has KVM")
	}
}
