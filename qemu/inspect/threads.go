package inspect

import (
	"bytes"
	"fmt"
	"strings"
)

// Processor is what a processor was doing.
type Processor struct {
	ID     int
	Mode   string // user (the program), kernel or halt
	Thread int    // 0: none
	Stack  stack
}

// Processors lists all processors.
func (m *Machine) Processors() (all []Processor, err error) {
	defer recovered(&err)
	for i := range int(m.variable("nuos/kernel.numCPUs").int()) {
		c := m.variable("nuos/kernel.cpus").index(i)
		p := Processor{ID: i, Mode: m.mode(c)}
		if t := c.field("current").uint(); t != 0 {
			p.Thread = int(m.at(t, "nuos/kernel.thread").field("tid").int())
		}
		// Whoever ends the machine stops the others by an interrupt, on a stack that
		// does not lead back to where they were.
		if at := c.field("stoppedAt.v").uint(); at != 0 {
			f := m.at(at, "nuos/kernel.faultFrame")
			p.Stack = m.stack(f.field("ip").uint(), f.field("bp").uint())
		} else if r, ok := m.registers(c); ok {
			if p.Mode == "user" {
				r = m.program(c, r)
			}
			p.Stack = m.stackOf(r)
		}
		// So does a fault of the kernel itself.
		if c.field("inFault").uint() != 0 {
			f := m.at(c.field("faultSP").uint(), "nuos/kernel.faultFrame")
			p.Stack.places = append(p.Stack.places, place{function: "fault in the kernel"})
			p.Stack.places = append(p.Stack.places, m.stack(f.field("ip").uint(), f.field("bp").uint()).places...)
		}
		all = append(all, p)
	}
	return all, nil
}

// mode is what the kernel says a processor does.
func (m *Machine) mode(c value) string {
	switch c.field("mode").int() {
	case m.constant("nuos/kernel.modeUser"):
		return "user"
	case m.constant("nuos/kernel.modeKernel"):
		return "kernel"
	}
	return "halt"
}

// registers are those of a processor, which GS tells: it points to its block.
func (m *Machine) registers(c value) (registers, bool) {
	for _, r := range m.processors {
		if r.GS == c.address {
			return registers{r.IP, r.SP, r.BP}, true
		}
	}
	return registers{}, false
}

type registers struct{ IP, SP, BP uint64 }

// program returns the registers of the program on a processor that is in user mode.
// These may be in the first or last instructions of the kernel (entry_amd64.s), where
// the mode is not set yet, or not any more: processors stop there gladly, between an
// interrupt and its handler.
func (m *Machine) program(c value, r registers) registers {
	const firstInterrupt, stubSize = 32, 16
	// What an interrupt pushes: IP, CS, flags, SP, SS.
	pushed := func(at uint64) registers { return registers{m.peek(at), m.peek(at + 24), r.BP} }
	f := m.symbols.functions.PCToFunc(r.IP)
	if f == nil {
		return r
	}
	switch f.Name {
	case "nuos/kernel.vectorStubs":
		if offset := r.IP - f.Entry; offset >= firstInterrupt*stubSize && offset%stubSize == 0 {
			return pushed(r.SP)
		}
	case "trap":
		return pushed(r.SP + 16) // behind vector and error code
	case "enter", "resume":
		t := m.at(c.field("current").uint(), "nuos/kernel.thread")
		return registers{t.field("ip").uint(), t.field("sp").uint(), t.field("bp").uint()}
	}
	return r
}

// Thread is a thread of the kernel.
type Thread struct {
	ID        int
	Name      string // "" if it has none
	State     string // ready, running, blocked or new
	Wait      string // why it is blocked: the system call, or what it waits for
	Processor int    // where it runs, or ran last
	Used      uint64 // processor time, ns
	Goroutine uint64 // 0: none
	Stack     stack

	registers registers
}

// Threads lists all threads.
func (m *Machine) Threads() (all []Thread, err error) {
	defer recovered(&err)
	goroutines := m.running()
	table := m.variable("nuos/kernel.threads")
	for i := range table.length() {
		at := table.index(i).uint()
		if at == 0 {
			continue
		}
		v := m.at(at, "nuos/kernel.thread")
		t := Thread{
			ID: i, State: m.state(v.field("task.state.v").uint()), Processor: int(v.field("task.cpu.v").int()),
			Used: v.field("used").uint(), Goroutine: goroutines[uint64(i)],
			registers: registers{v.field("ip").uint(), v.field("sp").uint(), v.field("bp").uint()},
		}
		name, _, _ := bytes.Cut(v.field("name").bytes(16), []byte{0})
		t.Name = string(name)
		switch t.State {
		case "blocked":
			t.Wait = fmt.Sprintf("%s, for %s", m.call(v.field("nr").uint()), v.field("wait").enum("wait"))
		case "running":
			// In the kernel its registers are where it came from, otherwise they are
			// the processor's.
			c := m.variable("nuos/kernel.cpus").index(t.Processor)
			if r, ok := m.registers(c); ok && m.mode(c) == "user" {
				t.registers = m.program(c, r)
			}
		}
		t.Stack = m.stackOf(t.registers)
		all = append(all, t)
	}
	return all, nil
}

// state names the state of a thread's task.
func (m *Machine) state(v uint64) string {
	const sched = "nuos/kernel/internal/sched."
	switch v & uint64(m.constant(sched+"stateBits")) {
	case uint64(m.constant(sched + "ready")), uint64(m.constant(sched + "claimed")):
		return "ready"
	case uint64(m.constant(sched + "running")):
		return "running"
	case uint64(m.constant(sched + "blocked")), uint64(m.constant(sched + "deaf")):
		return "blocked"
	}
	return "new"
}

// call names a system call.
func (m *Machine) call(nr uint64) string {
	if name := m.callName(nr); name != "" {
		return name
	}
	return fmt.Sprintf("call %d", nr)
}

// callName is a system call's name as the kernel knows it, "" if it does not.
func (m *Machine) callName(nr uint64) string {
	stretches := m.variable("nuos/kernel.callNames")
	for i := range stretches.length() {
		s := stretches.index(i)
		names := strings.Fields(s.field("names").string())
		if at := nr - s.field("first").uint(); at < uint64(len(names)) {
			return names[at]
		}
	}
	return ""
}
