package sched

import (
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Relax = runtime.Gosched
	os.Exit(m.Run())
}

// machine has goroutines for processors and a step of a goroutine for what a thread
// does in between two calls of the scheduler.
type machine struct {
	Scheduler
	kicks   []chan struct{} // a kick or an interrupt that a processor has not seen yet
	resched []atomic.Bool
	threads []*thread
	left    atomic.Int32 // threads that have not ended
	clock   atomic.Int64
	ended   chan struct{}
}

// thread is a Task with memory that only its owner touches: the race detector tells
// when there are two.
type thread struct {
	Task
	steps   int
	mailbox mailbox
	got     int
	signal  atomic.Bool // pending
	signals int         // handled
}

// mailbox is where threads wait for each other, like a futex.
type mailbox struct {
	lock   Lock
	full   int
	waiter *thread
}

func newMachine(processors, threads int) *machine {
	m := &machine{kicks: make([]chan struct{}, processors), resched: make([]atomic.Bool, processors), ended: make(chan struct{})}
	m.SetProcessors(int32(processors))
	for i := range m.kicks {
		m.kicks[i] = make(chan struct{}, 1)
	}
	for range threads {
		m.threads = append(m.threads, new(thread))
	}
	m.left.Store(int32(threads))
	return m
}

func (m *machine) now() int64 { return m.clock.Add(1000) }

func (m *machine) tell(whom Whom, cpu int32) {
	switch whom {
	case Nobody:
		return
	case Running:
		m.resched[cpu].Store(true)
	}
	select {
	case m.kicks[cpu] <- struct{}{}:
	default:
	}
}

func (m *machine) find(t *Task) *thread {
	for _, x := range m.threads {
		if &x.Task == t {
			return x
		}
	}
	return nil
}

// run is a processor. What a thread does is up to step, which reports whether the
// thread still runs here.
func (m *machine) run(cpu int32, step func(cpu int32, t *thread) bool) {
	for {
		now := m.now()
		next := m.Next(cpu, now)
		for next == nil {
			m.JoinIdle(cpu)
			if next = m.Next(cpu, m.now()); next == nil {
				select {
				case <-m.kicks[cpu]:
				case <-m.ended:
					return
				}
				m.LeaveIdle(cpu)
				next = m.Next(cpu, m.now())
			} else {
				m.LeaveIdle(cpu)
			}
		}
		t := m.find(next)
		m.Runs(cpu, next, m.now())
		for {
			m.resched[cpu].Store(false)
			if t.signal.Swap(false) {
				t.signals++
			}
			if !step(cpu, t) {
				m.Stops(cpu)
				break
			}
			now := m.now()
			t.Charge(1000)
			if m.GivesWay(cpu, &t.Task, now) {
				m.Stops(cpu)
				m.tell(m.Preempted(cpu, &t.Task, now))
				break
			}
			m.Runs(cpu, &t.Task, now)
		}
	}
}

// receive takes a message, or begins to wait for one and is nobody's.
func (m *machine) receive(t *thread) (waits bool) {
	b := &t.mailbox
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.full > 0 {
		b.full--
		t.got++
		return false
	}
	b.waiter = t
	if t.signal.Load() || !t.Block(true) {
		b.waiter = nil
		return false
	}
	return true
}

func (m *machine) send(to *thread) {
	b := &to.mailbox
	b.lock.Lock()
	b.full++
	claims := b.waiter != nil && b.waiter.Claim()
	if claims {
		b.waiter = nil
	}
	b.lock.Unlock()
	if claims {
		m.tell(m.Wake(&to.Task, m.now()))
	}
}

// interrupt signals a thread.
func (m *machine) interrupt(t *thread) {
	t.signal.Store(true)
	for {
		at := t.Now()
		if !t.signal.Load() {
			return
		}
		switch t.Poke(at) {
		case Changed:
			continue
		case Runs:
			m.tell(Running, t.CPU())
		case Claimed:
			t.mailbox.lock.Lock()
			t.mailbox.waiter = nil
			t.mailbox.lock.Unlock()
			m.tell(m.Wake(&t.Task, m.now()))
		}
		return
	}
}

// TestMessages has threads on several processors send each other messages, interrupt each
// other and bind each other to processors. Each message must arrive, nobody may run twice
// at a time, and a machine that stops is a wake-up that was lost.
func TestMessages(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, size := range []struct{ processors, threads, steps int }{{1, 5, 4000}, {2, 2, 8000}, {4, 3, 8000}, {4, 20, 2000}, {8, 40, 1000}} {
		m := newMachine(size.processors, size.threads)
		// Each thread sends as many as it is to get: to the next one, in a ring.
		next := map[*thread]*thread{}
		for i, x := range m.threads {
			next[x] = m.threads[(i+1)%len(m.threads)]
			m.tell(m.Wake(&x.Task, m.now()))
		}
		step := func(cpu int32, x *thread) bool {
			r := rand.New(rand.NewPCG(seed, uint64(x.steps)))
			if x.steps < size.steps {
				x.steps++
				m.send(next[x])
				if r.IntN(8) == 0 {
					m.interrupt(m.threads[r.IntN(len(m.threads))])
				}
				if r.IntN(64) == 0 {
					m.tell(m.SetAllowed(&m.threads[r.IntN(len(m.threads))].Task, 1<<uint(r.IntN(size.processors)), m.now()))
				}
			}
			if x.got < x.steps || x.got == size.steps {
				if x.got == size.steps {
					if m.left.Add(-1) == 0 {
						close(m.ended)
					}
					return false
				}
				return !m.receive(x)
			}
			return true
		}
		var wg sync.WaitGroup
		for cpu := range size.processors {
			wg.Go(func() { m.run(int32(cpu), step) })
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(time.Minute): // it hangs
			for i, x := range m.threads {
				t.Logf("thread %d: state %x, queue %d, on %d of %x", i, x.state.Load(), x.queue.Load(), x.CPU(), x.Allowed())
			}
			t.Fatalf("%d processors, %d threads: %d threads do not end; idle are %b", size.processors, size.threads, m.left.Load(), m.idle.Load())
		}
		for i, x := range m.threads {
			if x.got != size.steps || x.mailbox.full != 0 {
				t.Errorf("%d processors: thread %d got %d of %d messages, %d are left", size.processors, i, x.got, size.steps, x.mailbox.full)
			}
		}
	}
}

// TestWakePlaces says where a task goes that wakes up.
func TestWakePlaces(t *testing.T) {
	const ms = int64(1e6)
	var s Scheduler
	s.SetProcessors(3)
	a, b, c := new(Task), new(Task), new(Task)
	for i, x := range []*Task{a, b, c} {
		cpu := int32(i)
		s.JoinIdle(cpu)
		x.cpu.Store(cpu)
		if whom, at := s.Wake(x, 0); whom != Idle || at != cpu {
			t.Fatalf("task %d: processor %d (%v), want %d, idle", i, at, whom, cpu)
		}
		if got := s.Next(cpu, 0); got != x {
			t.Fatalf("processor %d did not take task %d", i, i)
		}
		x.Charge(int64(i) * ms)
		s.Runs(cpu, x, 10*ms)
	}
	fresh := new(Task)
	if whom, at := s.Wake(fresh, 10*ms); whom != Running || at != 2 {
		t.Errorf("with all processors busy: processor %d (%v), want 2, running, which has run most", at, whom)
	}
	other := new(Task)
	if whom, at := s.Wake(other, 10*ms); whom != Running || at != 1 {
		t.Errorf("the second: processor %d (%v), want 1, as 2 was told already", at, whom)
	}
	if !s.GivesWay(2, c, 10*ms) || s.Next(2, 10*ms) != fresh || s.GivesWay(0, a, 0) {
		t.Errorf("processor 2 does not take the task, or 0 gives way")
	}
	if got := s.Next(0, 10*ms); got != other {
		t.Errorf("processor 0 does not take what waits for 1")
	}
	if got := fresh.runtime; got != 2*ms-wakeBonus {
		t.Errorf("the run time of a sleeper is %d, want %d", got, 2*ms-wakeBonus)
	}
	if whom, at := s.SetAllowed(c, 1, 0); whom != Running || at != 2 || !s.GivesWay(2, c, 0) {
		t.Errorf("a running task that may run on 0 alone: %v, %d", whom, at)
	}
	s.JoinIdle(1)
	s.JoinIdle(0)
	if whom, at := s.Preempted(2, c, 11*ms); whom != Idle || at != 0 || s.Next(1, 11*ms) != nil || s.Next(0, 11*ms) != c {
		t.Errorf("it goes to processor %d (%v), want 0", at, whom)
	}
}

// TestFairness has three tasks share two processors, one of them alone at first.
func TestFairness(t *testing.T) {
	var s Scheduler
	s.SetProcessors(2)
	tasks := []*Task{new(Task), new(Task), new(Task)}
	for _, x := range tasks {
		s.Wake(x, 0)
	}
	used := map[*Task]int64{}
	var on [2]*Task
	for now := int64(0); now < 600*Slice; now += Slice {
		for cpu := range int32(2) {
			if x := on[cpu]; x != nil {
				x.Charge(Slice)
				used[x] += Slice
				if !s.GivesWay(cpu, x, now) {
					continue
				}
				s.Preempted(cpu, x, now)
			}
			on[cpu] = s.Next(cpu, now)
			s.Runs(cpu, on[cpu], now)
		}
	}
	for i, x := range tasks {
		if share := used[x] / Slice; share < 380 || share > 420 {
			t.Errorf("task %d had %d slices of 1200, want 400", i, share)
		}
	}
}
