package inspect

import (
	"cmp"
	"slices"
)

// Statistics are what the kernel has counted since the machine started.
type Statistics struct {
	Uptime     uint64       // ns, when the last event was counted
	Processors int          //
	Threads    int          //
	Events     []EventCount // of each kind, in the kernel's order
	Calls      []CallCount  // those that were made, most often first
	Frames     []FrameCount // frames of 4 KiB by owner; the first are free
}

// EventCount is how often a kind of event happened, on each processor.
type EventCount struct {
	Name string
	On   []uint64
}

// CallCount is how often a system call was made.
type CallCount struct {
	Number  uint64
	Name    string // "" if the kernel knows none
	Count   uint64
	Unknown uint64 // how often it failed because the kernel does not have it
}

// FrameCount is how many frames somebody has.
type FrameCount struct {
	Owner string
	Count uint64
}

// Statistics reads the counters.
func (m *Machine) Statistics() (s Statistics, err error) {
	defer recovered(&err)
	s.Processors = int(m.variable("nuos/kernel.numCPUs").int())
	s.Threads = int(m.variable("nuos/kernel.numThreads").int())
	names := m.variable("nuos/kernel.eventNames")
	for kind := 1; kind < names.length(); kind++ {
		e := EventCount{Name: names.index(kind).index(0).string()}
		for i := range s.Processors {
			e.On = append(e.On, m.variable("nuos/kernel.cpus").index(i).field("counts").index(kind).uint())
		}
		s.Events = append(s.Events, e)
	}
	s.Calls = m.callCounts(s.Processors)
	owners := m.variable("nuos/mm.machine").field("tables.frames.ledger.count")
	for i := range owners.length() {
		name := m.symbols.enums["nuos/mm.Owner"][int64(i)]
		s.Frames = append(s.Frames, FrameCount{name[len("nuos/mm."):], owners.index(i).field("v").uint()})
	}
	events, err := m.Trace()
	if len(events) > 0 {
		s.Uptime = uint64(events[len(events)-1].Time)
	}
	return s, err
}

func (m *Machine) callCounts(processors int) (calls []CallCount) {
	own := uint64(m.constant("nuos/kernel.ownSlot"))
	unknown := m.variable("nuos/kernel.stats").field("unknown")
	for slot := range uint64(m.constant("nuos/kernel.callSlots")) {
		c := CallCount{Number: slot}
		for i := range processors {
			at := m.variable("nuos/kernel.cpus").index(i).field("calls").uint()
			c.Count += m.word(at + 8*slot)
		}
		if c.Count == 0 {
			continue
		}
		c.Name = m.slotName(slot)
		if slot < own {
			c.Unknown = unknown.index(int(slot)).uint()
		}
		calls = append(calls, c)
	}
	slices.SortFunc(calls, func(a, b CallCount) int { return cmp.Compare(b.Count, a.Count) })
	return calls
}

// slotName names what is counted in a slot: a system call of Linux's, one of the
// kernel's own, or all that have a greater number.
func (m *Machine) slotName(slot uint64) string {
	own, other := uint64(m.constant("nuos/kernel.ownSlot")), uint64(m.constant("nuos/kernel.otherSlot"))
	switch {
	case slot == other:
		return "others"
	case slot >= own:
		first := m.constant("nuos/kernel.nrSetReady")
		for name, v := range m.symbols.constants {
			if v == first+int64(slot-own) && len(name) > len(ownPrefix) && name[:len(ownPrefix)] == ownPrefix {
				return "nuos:" + name[len(ownPrefix):]
			}
		}
		return ""
	}
	return m.callName(slot)
}

// ownPrefix is what the numbers of the kernel's own calls are called.
const ownPrefix = "nuos/kernel.nr"
