package sched

import "math/bits"

// MaxProcessors is how many a scheduler can have.
const MaxProcessors = 64

const (
	// Slice is how long a task runs until another ready one gets its turn, ns.
	Slice = 2e6

	wakeBonus    = 15e5 // ns, below Slice
	balanceEvery = 4e6  // ns
)

// Scheduler has the tasks that are ready, and knows which processors have none. Its
// zero value has one processor.
type Scheduler struct {
	idle       atomicUint64 // processors that nobody has work for yet, by bit
	floor      atomicInt64  // the virtual run time of whoever was dispatched, at its highest
	others     atomicInt32  // processors but the first
	processors [MaxProcessors]processor
}

// processor is padded so that the locks of two never share a line of a cache.
type processor struct {
	queue queue

	// began is the moment at which the task that runs would have begun if it had
	// never stopped: its virtual run time is the time since. 0 means that nothing runs
	// that could be asked to give way.
	began atomicInt64

	balanceAt int64 // the processor's own

	_ [72]byte
}

// SetProcessors says how many processors there are, before the second one
// schedules.
func (s *Scheduler) SetProcessors(n int32) { s.others.Store(n - 1) }

func (s *Scheduler) count() int32 { return s.others.Load() + 1 }

// Whom Wake and Yielded want to be told of it.
type Whom int

const (
	Nobody  Whom = iota
	Idle         // kick the processor: it has left the idle set
	Running      // interrupt it: what runs there has to give way
)

// Wake makes a task ready that is the caller's, and says which processor has to be
// told.
func (s *Scheduler) Wake(t *Task, now int64) (whom Whom, cpu int32) {
	t.runtime = max(t.runtime, s.floor.Load()-wakeBonus)
	t.set(ready) // before it is asked where it may run: see SetAllowed
	runtime, allowed, last := t.runtime, t.Allowed(), t.CPU()
	if cpu = s.claimIdle(last, allowed); cpu >= 0 {
		s.processors[cpu].queue.add(t, cpu)
		return Idle, cpu
	}
	cpu, whom = s.victim(runtime, allowed, now), Running
	if cpu < 0 {
		whom, cpu = Nobody, last
		if allowed>>uint(last)&1 == 0 {
			cpu = int32(bits.TrailingZeros64(allowed))
		}
	}
	s.processors[cpu].queue.add(t, cpu)
	// One that has become idle meanwhile may have looked before t was there, and so may the
	// queue's own that has begun to run something.
	if free := s.claimIdle(cpu, allowed); free >= 0 {
		return Idle, free
	}
	if began := s.processors[cpu].began.Load(); whom == Nobody && began < now-runtime && s.displaces(cpu, began) {
		whom = Running
	}
	return whom, cpu
}

// claimIdle takes an idle processor out of the set, preferably the one named; -1 if
// there is none.
func (s *Scheduler) claimIdle(prefer int32, allowed uint64) int32 {
	for {
		idle := s.idle.Load()
		free := idle & allowed
		if free == 0 {
			return -1
		}
		cpu := int32(bits.TrailingZeros64(free))
		if free>>uint(prefer)&1 != 0 {
			cpu = prefer
		}
		if s.idle.CompareAndSwap(idle, idle&^(1<<uint(cpu))) {
			return cpu
		}
	}
}

// victim is the processor whose task has run longest, if that is longer than
// runtime, else -1. It is not found again until it has given way or gone on.
func (s *Scheduler) victim(runtime int64, allowed uint64, now int64) int32 {
	for {
		victim, first := int32(-1), now-runtime
		for i := range s.count() {
			if began := s.processors[i].began.Load(); began != 0 && began < first && allowed>>uint(i)&1 != 0 {
				victim, first = i, began
			}
		}
		if victim < 0 || s.displaces(victim, first) {
			return victim
		}
	}
}

// displaces asks what runs on a processor since it began to give way, if nobody else has.
func (s *Scheduler) displaces(cpu int32, began int64) bool {
	return began != 0 && s.processors[cpu].began.CompareAndSwap(began, 0)
}

// Runs says that t runs on a processor from now on, or goes on. It reports whether t has to
// give way at once, to one that was made ready before it could be asked to.
func (s *Scheduler) Runs(cpu int32, t *Task, now int64) (givesWay bool) {
	for floor := s.floor.Load(); t.runtime > floor; floor = s.floor.Load() {
		if s.floor.CompareAndSwap(floor, t.runtime) {
			break
		}
	}
	began := now - t.runtime
	if began == 0 {
		began = -1
	}
	s.processors[cpu].began.Store(began)
	return s.processors[cpu].queue.leastRuntime() < t.runtime
}

// Stops says that nothing runs on the processor any more that could give way.
func (s *Scheduler) Stops(cpu int32) { s.processors[cpu].began.Store(0) }

// GivesWay reports whether t, which runs on a processor and is charged, has to.
func (s *Scheduler) GivesWay(cpu int32, t *Task, now int64) bool {
	return t.Allowed()>>uint(cpu)&1 == 0 || s.processors[cpu].queue.leastRuntime() <= t.runtime ||
		now >= s.processors[cpu].balanceAt && s.worse(cpu, t.runtime) >= 0
}

// Preempted makes t ready again, which has run on the processor.
func (s *Scheduler) Preempted(cpu int32, t *Task, now int64) (Whom, int32) {
	t.set(ready)
	allowed := t.Allowed()
	if allowed>>uint(cpu)&1 == 0 {
		return s.Wake(t, now)
	}
	s.processors[cpu].queue.add(t, cpu)
	if free := s.claimIdle(cpu, allowed); free >= 0 {
		return Idle, free
	}
	return Nobody, 0
}

// Yield lets all tasks go first that are ready on the processor, and reports whether
// there are any. t, which runs there, is charged.
func (s *Scheduler) Yield(cpu int32, t *Task) bool {
	q := &s.processors[cpu].queue
	if q.least.Load() == 0 {
		return false
	}
	t.runtime = q.most(t)
	return true
}

// Next takes a task for the processor to run, from its own queue or another's; nil if
// there is none.
func (s *Scheduler) Next(cpu int32, now int64) *Task {
	own := &s.processors[cpu]
	if now >= own.balanceAt {
		own.balanceAt = now + balanceEvery
		if from := s.worse(cpu, own.queue.leastRuntime()); from >= 0 {
			if t := s.processors[from].queue.take(cpu); t != nil {
				return t
			}
		}
	}
	if t := own.queue.take(cpu); t != nil {
		return t
	}
	n := s.count()
	for i := int32(1); i < n; i++ {
		if t := s.processors[(cpu+i)%n].queue.take(cpu); t != nil {
			return t
		}
	}
	return nil
}

// worse is the processor, not cpu, in whose queue somebody waits who has run a slice less
// than runtime, and least of all; -1 if there is none.
func (s *Scheduler) worse(cpu int32, runtime int64) int32 {
	from, least := int32(-1), runtime-Slice
	for i := range s.count() {
		if l := s.processors[i].queue.leastRuntime(); i != cpu && l < least {
			from, least = i, l
		}
	}
	return from
}

// JoinIdle puts the processor into the idle set. It calls Next once more before it
// sleeps, and sleeps until it is kicked.
func (s *Scheduler) JoinIdle(cpu int32) {
	s.processors[cpu].began.Store(0)
	s.idle.Or(1 << uint(cpu))
}

// LeaveIdle takes it out. If somebody was quicker, a kick is on its way.
func (s *Scheduler) LeaveIdle(cpu int32) { s.idle.And(^(uint64(1) << uint(cpu))) }

// SetAllowed says on which processors t may run, by bit. If t is ready elsewhere, it is
// made ready anew; if it runs elsewhere, its processor has to be told. Who makes t ready
// at the same time finds the new set, or has said so before and is waited for.
func (s *Scheduler) SetAllowed(t *Task, allowed uint64, now int64) (Whom, int32) {
	t.allowed.Store(allowed)
	for {
		at := t.queue.Load()
		switch {
		case at == 0 && t.state.Load()&stateBits == ready:
			Relax() // it is being put into another queue
		case at == 0:
			if cpu := t.CPU(); allowed>>uint(cpu)&1 == 0 && t.state.Load()&stateBits == running {
				return Running, cpu
			}
			return Nobody, 0
		case allowed>>uint(at-1)&1 != 0:
			// Who was taking it out knew the old set.
			if s.processors[at-1].queue.has(t, at-1) {
				return Nobody, 0
			}
		case s.processors[at-1].queue.remove(t):
			return s.Wake(t, now)
		}
	}
}
