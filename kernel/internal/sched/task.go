package sched

// States of a task, in the low bits of Task.state. Above them is the number of its
// last wait.
const (
	fresh   = iota // it has never been ready
	ready          // in a queue, or on the way into one
	running        // on the processor Task.CPU
	blocked        // nobody's
	deaf           // the same, and signals do not end the wait
	claimed        // its wait is over, and who has claimed it makes it ready

	stateBits = 7
	poked     = 8  // with running: look for signals before the next wait
	waitOne   = 16 // the number of waits begins at this bit
)

// Task is the scheduler's part of a thread. Its zero value is a new one, which is
// its maker's.
type Task struct {
	state   atomicUint64
	next    uintptr      // *Task, in a queue
	queue   atomicInt32  // processor in whose queue it is, and 1; written with the queue's lock
	cpu     atomicInt32  // where it runs, or ran last
	allowed atomicUint64 // processors, by bit; 0 means all
	runtime int64        // virtual run time, ns
}

// CPU is the processor on which t runs, or ran last. Anybody may ask.
func (t *Task) CPU() int32 { return t.cpu.Load() }

// Waits reports whether t waits, at this moment. Anybody may ask.
func (t *Task) Waits() bool {
	s := t.state.Load() & stateBits
	return s == blocked || s == deaf
}

// Allowed is the set of processors on which t may run, by bit. Anybody may ask.
func (t *Task) Allowed() uint64 {
	if a := t.allowed.Load(); a != 0 {
		return a
	}
	return ^uint64(0)
}

// Charge adds time to the virtual run time of t, which the caller owns.
func (t *Task) Charge(ns int64) { t.runtime += ns }

// Inherit makes t, which is new, as one of parent's kind that has run as long.
func (t *Task) Inherit(parent *Task) {
	t.runtime = parent.runtime
	t.cpu.Store(parent.cpu.Load())
	t.allowed.Store(parent.allowed.Load())
}

// Block begins a wait of t, which runs on the calling processor and is nobody's
// afterwards. It returns false, and nothing has changed, if t was poked and signals
// can end the wait.
func (t *Task) Block(signals bool) bool {
	for {
		s := t.state.Load()
		wait := uint64(deaf)
		if signals {
			if s&poked != 0 {
				t.set(running)
				return false
			}
			wait = blocked
		}
		if t.state.CompareAndSwap(s, s&^(stateBits|poked)+waitOne|wait) {
			return true
		}
	}
}

// Claim ends a wait of t and makes the caller its owner; false if t does not wait
// or somebody else was first. The caller holds a lock without which t cannot be
// made ready, so that this is the wait that it means.
func (t *Task) Claim() bool {
	s := t.state.Load()
	return (s&stateBits == blocked || s&stateBits == deaf) && t.state.CompareAndSwap(s, s&^stateBits|claimed)
}

// Moment is what a task did at one time.
type Moment uint64

// Now is what t does. Anybody may ask.
func (t *Task) Now() Moment { return Moment(t.state.Load()) }

// Poked is what Poke has found.
type Poked int

const (
	Changed Poked = iota // the task has gone on since
	Later                // it looks for signals before it runs, or before its next wait
	Runs                 // it runs on the processor CPU, which has to be interrupted
	Claimed              // it waited, and the end of the wait is the caller's
)

// Poke has t notice a signal that was there for it to see at a moment when it had not
// noticed it yet, if it still does what it did then. So a signal ends the wait that it
// meets, and not one that begins when it has been handled already.
func (t *Task) Poke(at Moment) Poked {
	s := uint64(at)
	switch s & stateBits {
	case blocked:
		if t.state.CompareAndSwap(s, s&^stateBits|claimed) {
			return Claimed
		}
		return Changed
	case running:
		if t.state.CompareAndSwap(s, s|poked) {
			return Runs
		}
		return Changed
	}
	return Later
}

// set changes the state of a task that the caller owns.
func (t *Task) set(state uint64) {
	t.state.Store(t.state.Load()&^(stateBits|poked) | state)
}
