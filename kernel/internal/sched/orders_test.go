//go:build !metal && !race

package sched

import (
	"fmt"
	"testing"
)

// What must hold in whatever order processors do what they do (explore_test.go).

// world is what the actors of these tests share. Everybody who looks at something that is
// not atomic owns it, by a lock or by having claimed or been given a task.
type world struct {
	Scheduler
	tasks   [3]Task
	claims  [3]int  // how many believe that they have ended the present wait of a task
	twice   [3]bool // there were two of them
	ended   [3]bool // a task
	told    [3]bool // a processor has to look what it runs, and has not yet
	mailbox box
}

// box is where task 0 waits for a message or a signal, as threads do for a futex.
type box struct {
	lock     Lock
	full     int
	waiting  bool
	got      int
	signal   atomicUint32 // pending
	handled  int
	spurious int // waits that a signal ended which was handled already
}

// orders are the orders of a world's actors. programs say what tasks do from when they get
// a processor until they wait, which is false, or end.
type orders struct {
	world
	x        *explorer
	programs [3]func(cpu int32) (ends bool)
}

func once(int32) (ends bool) { return true }

const now = int64(Slice)

func (o *orders) task(t *Task) int {
	for i := range o.tasks {
		if &o.tasks[i] == t {
			return i
		}
	}
	return -1
}

// wait has a task wait that was last on a processor.
func (o *orders) wait(i int, cpu int32, allowed uint64) *Task {
	t := &o.tasks[i]
	t.cpu.Store(cpu)
	t.allowed.Store(allowed)
	t.set(running)
	t.Block(true)
	return t
}

// wakes is an actor that ends the wait of a task if nobody else does.
func (o *orders) wakes(i int) func() {
	return func() {
		if o.tasks[i].Claim() {
			o.claimed(i)
		}
	}
}

// claimed goes on as who has ended the wait of a task. Only the first one does, for what two
// would make of the queues has no end.
func (o *orders) claimed(i int) {
	if o.claims[i]++; o.claims[i] > 1 {
		o.twice[i] = true
		return
	}
	o.tell(o.Wake(&o.tasks[i], now))
}

func (o *orders) tell(whom Whom, cpu int32) {
	if whom != Nobody {
		o.told[cpu] = true
	}
}

// sleep waits until the processor is told something.
func (o *orders) sleep(cpu int32) {
	o.x.await(func() bool { return o.told[cpu] })
	o.told[cpu] = false
}

// processor is an actor that does what the kernel does with a processor.
func (o *orders) processor(cpu int32) func() {
	return func() {
		for {
			t := o.Next(cpu, now)
			for t == nil {
				o.JoinIdle(cpu)
				if t = o.Next(cpu, now); t == nil {
					o.sleep(cpu)
				}
				o.LeaveIdle(cpu)
				if t == nil {
					t = o.Next(cpu, now)
				}
			}
			if o.Runs(cpu, t, now) {
				o.Stops(cpu)
				o.tell(o.Preempted(cpu, t, now))
				continue
			}
			i := o.task(t)
			if o.programs[i](cpu) {
				o.ended[i] = true
			}
			o.Stops(cpu)
		}
	}
}

// try explores the orders of the actors that begin makes. At the end of each, when nobody can go on, the
// first tasks must have ended, and what else says must hold.
func (o *orders) try(t *testing.T, tasks int, begin func() []func(), also func() error) {
	t.Helper()
	explore(t, &o.world, func(x *explorer) []func() {
		o.x = x
		return begin()
	}, func() error {
		for i := range tasks {
			if o.twice[i] {
				return fmt.Errorf("a wait of task %d was ended by two at a time", i)
			}
			if !o.ended[i] {
				return fmt.Errorf("task %d does not go on: state %x, queue %d; idle processors are %b", i, o.tasks[i].state.Load(), o.tasks[i].queue.Load(), o.idle.Load())
			}
		}
		if also != nil {
			return also()
		}
		return nil
	})
}

// TestWakeOrders wakes tasks while processors become idle: no processor may sleep while a
// task is ready that it may run.
func TestWakeOrders(t *testing.T) {
	for _, test := range []struct {
		name    string
		idle    int32 // processors, the first ones
		busy    int32 // those behind them, with a task that goes on for ever
		last    int32 // where the tasks ran last
		allowed uint64
		tasks   int
	}{
		{name: "one processor", idle: 1, tasks: 1},
		{name: "its own", idle: 1, busy: 1, tasks: 1},
		{name: "another one", idle: 1, busy: 1, last: 1, tasks: 1},
		{name: "the only one allowed", idle: 1, busy: 1, last: 1, allowed: 1, tasks: 1},
		{name: "two processors", idle: 2, tasks: 1},
		{name: "two tasks", idle: 1, tasks: 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := &orders{programs: [3]func(int32) bool{once, once}}
			o.try(t, test.tasks, func() (actors []func()) {
				o.SetProcessors(test.idle + test.busy)
				for cpu := range test.busy {
					o.Runs(test.idle+cpu, new(Task), now)
				}
				for cpu := range test.idle {
					actors = append(actors, o.processor(cpu))
				}
				for i := range test.tasks {
					o.wait(i, test.last, test.allowed)
					actors = append(actors, o.wakes(i))
				}
				return actors
			}, nil)
		})
	}
}

// TestClaimOrders ends a wait by a wake, a timeout and a signal at a time, of which
// one must win.
func TestClaimOrders(t *testing.T) {
	o := &orders{programs: [3]func(int32) bool{once}}
	o.try(t, 1, func() []func() {
		at := o.wait(0, 0, 0).Now()
		poke := func() {
			if o.tasks[0].Poke(at) == Claimed {
				o.claimed(0)
			}
		}
		return []func(){o.processor(0), o.wakes(0), o.wakes(0), poke}
	}, nil)
}

// TestIdleSetOrders has somebody wake a task for any of two processors that become idle,
// and then one that only the second may run.
func TestIdleSetOrders(t *testing.T) {
	o := &orders{programs: [3]func(int32) bool{once, once}}
	o.try(t, 2, func() []func() {
		o.SetProcessors(2)
		o.wait(0, 0, 0)
		o.wait(1, 0, 0b10)
		return []func(){o.processor(0), o.processor(1), func() { o.wakes(0)(); o.wakes(1)() }}
	}, nil)
}

// TestVictimOrders wakes two tasks while two processors are busy: each has to give way to one.
func TestVictimOrders(t *testing.T) {
	o := new(orders)
	o.try(t, 0, func() []func() {
		o.SetProcessors(2)
		for cpu := range int32(2) {
			o.Runs(cpu, &Task{runtime: 5 * Slice}, now)
		}
		o.wait(0, 0, 0)
		o.wait(1, 0, 0)
		return []func(){o.wakes(0), o.wakes(1)}
	}, func() error {
		if !o.told[0] || !o.told[1] {
			return fmt.Errorf("processors that were told to give way: %v", o.told[:2])
		}
		return nil
	})
}

// TestPreemptOrders has a task give way, while another processor becomes idle, to one
// that never ends: it has to go on there.
func TestPreemptOrders(t *testing.T) {
	o := &orders{}
	gives := func(cpu int32) bool {
		if cpu == 0 {
			return true
		}
		o.sleep(cpu)
		if o.GivesWay(cpu, &o.tasks[0], now) {
			o.Stops(cpu)
			o.tell(o.Preempted(cpu, &o.tasks[0], now))
			return false
		}
		return true
	}
	forever := func(cpu int32) bool {
		o.x.await(func() bool { return false })
		return false
	}
	o.programs = [3]func(int32) bool{gives, forever}
	o.try(t, 1, func() []func() {
		o.SetProcessors(2)
		o.tasks[0].runtime = 5 * Slice
		o.tasks[0].set(ready)
		o.processors[1].queue.add(&o.tasks[0], 1)
		o.wait(1, 1, 0b10)
		return []func(){o.processor(0), o.processor(1), o.wakes(1)}
	}, nil)
}

// TestAllowedOrders binds a task to the last of three processors while it is made ready,
// taken, or gives way on the first. The second one is idle and must not be taken for the last.
func TestAllowedOrders(t *testing.T) {
	const first, second, last = 0, 1, 2
	o := &orders{}
	moves := func(cpu int32) bool {
		if cpu == last {
			return true
		}
		o.sleep(cpu)
		o.Stops(cpu)
		o.tell(o.Preempted(cpu, &o.tasks[0], now))
		return false
	}
	o.programs = [3]func(int32) bool{moves}
	bind := func() { o.tell(o.SetAllowed(&o.tasks[0], 1<<last, now)) }
	ready := func(cpu int32) {
		o.tasks[0].set(ready)
		o.processors[cpu].queue.add(&o.tasks[0], cpu)
	}
	for name, begin := range map[string]func() []func(){
		"woken": func() []func() {
			o.wait(0, second, 0)
			return []func(){o.processor(last), o.wakes(0), bind}
		},
		"taken": func() []func() {
			ready(last)
			return []func(){o.processor(first), o.processor(last), bind}
		},
		"gives way": func() []func() {
			ready(first)
			o.told[first] = true
			return []func(){o.processor(first), o.processor(last), bind}
		},
	} {
		t.Run(name, func(t *testing.T) {
			o.try(t, 1, func() []func() {
				o.SetProcessors(3)
				o.JoinIdle(second)
				return begin()
			}, nil)
		})
	}
}

// TestSignalOrders has a task wait for two messages and a signal, in whatever order they come. A
// signal ends no wait that began when it had been handled.
func TestSignalOrders(t *testing.T) {
	o := &orders{}
	m, task := &o.mailbox, &o.tasks[0]
	// look leaves the mailbox locked if there is nothing.
	look := func() (found bool) {
		m.lock.Lock()
		if m.full == 0 {
			return false
		}
		m.full--
		m.got++
		m.lock.Unlock()
		return true
	}
	receive := func(int32) (ends bool) {
		for {
			if m.signal.CompareAndSwap(1, 0) {
				m.handled++
			}
			if look() {
				continue
			}
			o.claims[0] = 0
			m.waiting = m.got+m.handled < 3 && m.signal.Load() == 0 && task.Block(true)
			waiting := m.waiting
			ends := m.got+m.handled == 3
			m.lock.Unlock()
			if waiting || ends {
				return ends
			}
		}
	}
	send := func() {
		m.lock.Lock()
		m.full++
		claims := m.waiting && task.Claim()
		if claims {
			m.waiting = false
		}
		m.lock.Unlock()
		if claims {
			o.claimed(0)
		}
	}
	interrupt := func() {
		m.signal.Store(1)
		for {
			at := task.Now()
			if m.signal.Load() == 0 {
				return
			}
			switch task.Poke(at) {
			case Changed:
				continue
			case Claimed:
				if m.signal.Load() == 0 {
					m.spurious++
				}
				m.lock.Lock()
				m.waiting = false
				m.lock.Unlock()
				o.claimed(0)
			}
			return
		}
	}
	o.programs = [3]func(int32) bool{receive}
	o.try(t, 1, func() []func() {
		task.set(ready)
		o.processors[0].queue.add(task, 0)
		return []func(){o.processor(0), func() { send(); send() }, interrupt}
	}, func() error {
		if m.spurious > 0 {
			return fmt.Errorf("a signal ended a wait after it had been handled")
		}
		return nil
	})
}
