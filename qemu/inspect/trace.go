package inspect

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Event is one entry of the trace.
type Event struct {
	Time      time.Duration // since the machine's clock was started
	Processor int
	Thread    int // that was current, 0: none
	Name      string
	Text      string // what happened, in words
}

// Trace returns the last events of all processors, the oldest first.
func (m *Machine) Trace() (all []Event, err error) {
	defer recovered(&err)
	size := uint64(m.constant("nuos/kernel.ringEvents"))
	start, mult := m.variable("nuos/kernel.clock").field("tsc").uint(), m.variable("nuos/kernel.clock").field("mult").uint()
	names := m.eventNames()
	for i := range int(m.variable("nuos/kernel.numCPUs").int()) {
		c := m.variable("nuos/kernel.cpus").index(i)
		end := c.field("recorded").uint()
		step := uint64(m.at(0, "nuos/kernel.event").typ.Size())
		for n := end - min(end, size); n < end; n++ {
			e := m.at(c.field("ring").uint()+n%size*step, "nuos/kernel.event")
			kind := e.field("kind").uint()
			if kind == 0 || kind >= uint64(len(names)) {
				continue // being written
			}
			high, low := bits.Mul64(e.field("time").uint()-start, mult)
			event := Event{
				Time: time.Duration(high<<32 | low>>32), Processor: i, Thread: int(e.field("tid").int()), Name: names[kind][0],
			}
			event.Text = m.describe(names[kind], e.field("what").uint(), e.field("a").uint(), e.field("b").uint())
			all = append(all, event)
		}
	}
	slices.SortStableFunc(all, func(a, b Event) int { return cmp.Compare(a.Time, b.Time) })
	return all, nil
}

// eventNames reads the names of kinds of events and of their numbers.
func (m *Machine) eventNames() (names [][4]string) {
	v := m.variable("nuos/kernel.eventNames")
	for kind := range v.length() {
		var n [4]string
		for i := range n {
			n[i] = v.index(kind).index(i).string()
		}
		names = append(names, n)
	}
	return names
}

// describe says what happened in an event. Of system calls it knows more than the
// names of the numbers say.
func (m *Machine) describe(names [4]string, what, a, b uint64) string {
	if names[0] == "call" {
		const waits = 1<<63 - 1 // the kernel's result of a call that is not over
		name := m.slotName(what)
		if name == "" {
			name = fmt.Sprintf("call %d", what)
		}
		switch {
		case b == waits:
			return fmt.Sprintf("%s(%#x, ...) waits", name, a)
		case -b < 4096 && b != 0:
			return fmt.Sprintf("%s(%#x, ...): %v", name, a, syscall.Errno(-b))
		}
		return fmt.Sprintf("%s(%#x, ...) = %#x", name, a, b)
	}
	var text strings.Builder
	text.WriteString(names[0])
	for i, v := range []uint64{what, a, b} {
		name, hexadecimal := strings.CutSuffix(names[i+1], "0x")
		switch {
		case name == "":
			continue
		case hexadecimal:
			fmt.Fprintf(&text, " %s%#x", name, v)
		default:
			fmt.Fprintf(&text, " %s %d", name, v)
		}
		if strings.TrimSpace(name) == "ip" {
			if p := m.symbols.place(v + 1); p.function != "" {
				fmt.Fprintf(&text, " (%s)", p.function)
			}
		}
	}
	return text.String()
}

func (e Event) String() string {
	return fmt.Sprintf("%12.6f  processor %d  thread %-3d  %s", e.Time.Seconds(), e.Processor, e.Thread, e.Text)
}
