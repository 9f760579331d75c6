package inspect

import (
	"fmt"
)

// Goroutine is one of the program's goroutines.
type Goroutine struct {
	ID        uint64
	Status    string // as the runtime prints it: running, runnable, or what it waits for
	Thread    int    // that it runs on, 0: none
	Stack     stack
	CreatedAt place // the go statement; zero for the first
}

// statusNames are by runtime._Gidle and so on.
var statusNames = [...]string{"idle", "runnable", "running", "syscall", "waiting", "", "dead", "", "copystack", "preempted", "leaked"}

// scanning is runtime._Gscan, which is added to a status.
const scanning = 0x1000

// Goroutines lists all goroutines that are not dead.
func (m *Machine) Goroutines() (all []Goroutine, err error) {
	defer recovered(&err)
	threads, err := m.Threads()
	if err != nil {
		return nil, err
	}
	list := m.variable("runtime.allgs")
	for i := range list.length() {
		g := list.index(i).target()
		status := g.field("atomicstatus.value").uint() &^ scanning
		if status >= uint64(len(statusNames)) || statusNames[status] == "dead" || statusNames[status] == "idle" {
			continue
		}
		r := Goroutine{ID: g.field("goid").uint(), Status: statusNames[status]}
		if r.Status == "waiting" {
			r.Status = m.variable("runtime.waitReasonStrings").index(int(g.field("waitreason").uint())).string()
		}
		r.Stack = m.goroutineStack(g, threads)
		if mp := g.field("m").uint(); mp != 0 {
			r.Thread = int(g.field("m").target().field("procid").uint())
		}
		if pc := g.field("gopc").uint(); pc != 0 && g.field("goid").uint() != 1 {
			r.CreatedAt = m.symbols.place(pc + 1)
		}
		all = append(all, r)
	}
	return all, nil
}

// goroutineStack begins where a goroutine was left, or where its thread is if that is
// on the goroutine's stack, or handles a signal that has interrupted it.
func (m *Machine) goroutineStack(g value, threads []Thread) stack {
	if pc := g.field("syscallsp").uint(); pc != 0 {
		return m.stack(g.field("syscallpc").uint()-1, g.field("syscallbp").uint())
	}
	if mp := g.field("m").uint(); mp != 0 {
		procid := g.field("m").target().field("procid").uint()
		low, high := g.field("stack.lo").uint(), g.field("stack.hi").uint()
		for _, t := range threads {
			if uint64(t.ID) != procid {
				continue
			}
			for _, sp := range append(t.Stack.interrupted, t.registers.SP) {
				if sp >= low && sp < high {
					return t.Stack
				}
			}
		}
	}
	return m.stack(g.field("sched.pc").uint()-1, g.field("sched.bp").uint())
}

// running maps threads to the goroutines that run on them.
func (m *Machine) running() map[uint64]uint64 {
	all := map[uint64]uint64{}
	const limit = 1 << 16 // of a list that has no end
	mp := m.variable("runtime.allm")
	for range limit {
		if mp.uint() == 0 {
			return all
		}
		if g := mp.target().field("curg"); g.uint() != 0 {
			all[mp.target().field("procid").uint()] = g.target().field("goid").uint()
		}
		mp = mp.target().field("alllink")
	}
	fail("runtime.allm has no end")
	return nil
}

func (g Goroutine) String() string {
	s := fmt.Sprintf("goroutine %d [%s", g.ID, g.Status)
	if g.Thread != 0 {
		s += fmt.Sprintf(", thread %d", g.Thread)
	}
	return s + "]:"
}
