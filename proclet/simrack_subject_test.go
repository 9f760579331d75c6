package proclet

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	"nuos/rack"
)

// subject is the state of the proclets of a simulated rack. It counts which tasks it
// has executed: that count moves with it, and must agree with what callers are told.
type subject struct {
	ledger [256]int8
	mu     Mutex
	cond   Cond
	tokens int64
	alone  int64 // in mu
	kept   Ref[subject]
}

// order is a task as it is passed on: what it does follows from its seed.
type simOrder struct {
	Task  int64
	Seed  uint64
	Depth int64
	Bare  bool // the answer must hold nothing: it may come too late, and what it holds then is held for ever
	Peers [4]Ref[subject]
}

type simAnswer struct {
	Task int64
	Text string
	Kept Ref[subject]
}

// simTask is what the world knows about a task.
type simTask struct {
	to           ID
	begun, ended int
	told         bool // the caller has been told:
	err          error
	ignored      bool // by a machine that is dead
	posted       bool
}

// simulatedWorld is where tasks report.
var simulatedWorld *simWorld

func (w *simWorld) newTask(to ID) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks = append(w.tasks, &simTask{to: to})
	return int64(len(w.tasks) - 1)
}

// report takes note of what a caller was told.
func (w *simWorld) report(task int64, machine rack.MachineID, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.tasks[task]
	k.told, k.err, k.ignored = true, err, w.machine(machine).dead
	text := "done"
	if err != nil {
		text = err.Error()
	}
	w.say("task %d in %s: %s", task, w.name(k.to), text)
}

var errSimulated = errors.New("simulated failure")

func init() { RegisterErrors(errSimulated) }

// of returns w, unless t is of an earlier world, on a machine that had died there:
// such a thread goes no further.
func (w *simWorld) of(t *Thread) *simWorld {
	if w.host(t.runtime()) == nil {
		select {}
	}
	return w
}

// maxTasks bounds the tasks of a world: as many as subjects can count.
const maxTasks = 240

// roll returns the next of a row of random numbers, below n.
func roll(state *uint64, n uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z ^ z>>31) % n
}

// Do executes a task.
func (s *subject) Do(t *Thread, o simOrder) (simAnswer, error) {
	w := simulatedWorld.of(t)
	w.executing(o.Task, t, 1)
	s.ledger[o.Task]++
	defer func() { simulatedWorld.of(t).executing(o.Task, t, -1) }()
	state := o.Seed
	for range 1 + roll(&state, 4) {
		if err := s.act(t, &o, &state); err != nil {
			return simAnswer{}, err
		}
	}
	a := simAnswer{Task: o.Task, Text: "a text that is longer than what an entry has room for, so that it needs memory of the heap"}
	if !o.Bare && roll(&state, 3) == 0 {
		a.Kept = s.kept
	}
	return a, nil
}

func (w *simWorld) executing(task int64, t *Thread, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > 0 {
		w.tasks[task].begun++
		w.say("task %d begins in %s at %v", task, w.name(t.id), w.machine(t.runtime().self))
	} else {
		w.tasks[task].ended++
		w.say("task %d ends at %v", task, w.machine(t.runtime().self))
	}
}

// act does one thing that the seed says.
func (s *subject) act(t *Thread, o *simOrder, state *uint64) error {
	switch roll(state, 16) {
	case 0:
		t.Sleep(time.Duration(roll(state, 5000)) * time.Microsecond)
	case 1, 2:
		s.mu.Lock(t)
		if s.alone++; s.alone != 1 {
			simulatedWorld.of(t).breaks("task %d is not alone", o.Task)
		}
		if roll(state, 2) == 0 {
			t.Sleep(time.Duration(roll(state, 2000)) * time.Microsecond)
		} else {
			t.Checkpoint()
		}
		s.alone--
		s.mu.Unlock(t)
	case 3:
		s.mu.Lock(t)
		for s.tokens == 0 && !simulatedWorld.profile.destroy { // whoever destroys waits for it
			s.cond.Wait(t, &s.mu)
		}
		s.tokens--
		s.mu.Unlock(t)
	case 4:
		s.mu.Lock(t)
		if s.tokens > 0 || s.cond.WaitFor(t, &s.mu, time.Duration(1+roll(state, 20))*time.Millisecond) && s.tokens > 0 {
			s.tokens--
		}
		s.mu.Unlock(t)
	case 5, 6:
		s.Put(t, int64(1+roll(state, 2)))
	case 7, 8, 9:
		s.call(t, o, state, 0)
	case 10:
		s.call(t, o, state, time.Duration(1+roll(state, 30))*time.Millisecond)
	case 11:
		h, err := Start(t, (*subject).Aside, simOrder{Seed: roll(state, 1<<60)})
		if err != nil {
			simulatedWorld.of(t).breaks("starting a thread: %v", err)
		} else if roll(state, 2) == 0 {
			h.Join(t)
		}
	case 12:
		t.Guard()
		t.Sleep(time.Duration(roll(state, 3000)) * time.Microsecond)
		t.Unguard()
	case 13:
		simulatedWorld.stop("a method computes")
	case 14:
		s.keep(t, o, state)
	case 15:
		switch roll(state, 6) {
		case 0:
			panic("simulated panic")
		case 1:
			runtime.Goexit()
		case 2:
			return fmt.Errorf("in task %d: %w", o.Task, errSimulated)
		default:
			s.callMany(t, o, state)
		}
	}
	return nil
}

// Put puts tokens there and wakes one who waits for each.
func (s *subject) Put(t *Thread, n int64) (struct{}, error) {
	for range n {
		s.mu.Lock(t)
		s.tokens++
		s.cond.Signal(t)
		s.mu.Unlock(t)
		t.Checkpoint()
	}
	return struct{}{}, nil
}

// next returns the order for a task that o's task gives to a peer; its number is
// negative if there may be no more.
func (o *simOrder) next(t *Thread, state *uint64, peer int) simOrder {
	n := simOrder{Task: -1, Seed: roll(state, 1<<60), Depth: o.Depth - 1, Bare: o.Bare, Peers: o.Peers}
	if o.Depth > 0 && !o.Peers[peer].IsZero() {
		n.Task = simulatedWorld.of(t).newTask(o.Peers[peer].id)
	}
	return n
}

// call calls a peer, within d if that is not 0.
func (s *subject) call(t *Thread, o *simOrder, state *uint64, d time.Duration) {
	peer := int(roll(state, uint64(len(o.Peers))))
	n := o.next(t, state, peer)
	if n.Task < 0 || n.Task >= maxTasks {
		return
	}
	var a simAnswer
	var err error
	if d > 0 {
		n.Bare = true
		a, err = CallWithin(t, d, o.Peers[peer], (*subject).Do, n)
	} else {
		a, err = Call(t, o.Peers[peer], (*subject).Do, n)
	}
	simulatedWorld.of(t).answered(t, n.Task, a.Task, err)
}

// answered checks and reports the answer to a task. It keeps err from staying on the
// caller's stack.
//
//go:noinline
func (w *simWorld) answered(t *Thread, task, got int64, err error) {
	if err == nil && got != task {
		w.breaks("task %d got the answer of %d", task, got)
	}
	w.report(task, t.Machine(), err)
}

// callMany calls two peers at once.
func (s *subject) callMany(t *Thread, o *simOrder, state *uint64) {
	first := int(roll(state, uint64(len(o.Peers))))
	orders := [2]simOrder{o.next(t, state, first), o.next(t, state, (first+1)%len(o.Peers))}
	refs := [2]Ref[subject]{o.Peers[first], o.Peers[(first+1)%len(o.Peers)]}
	if orders[0].Task < 0 || orders[1].Task < 0 || orders[1].Task >= maxTasks {
		return
	}
	answers, err := CallMany(t, refs[:], (*subject).Do, orders[:]...)
	simulatedWorld.of(t).answeredMany(t, &orders, answers, err)
}

//go:noinline
func (w *simWorld) answeredMany(t *Thread, orders *[2]simOrder, answers []simAnswer, err error) {
	var many *ManyError
	if err != nil && !errors.As(err, &many) {
		w.breaks("CallMany: %v", err)
		return
	}
	for i, o := range orders {
		var one error
		if many != nil {
			one = many.Errs[i]
		}
		w.answered(t, o.Task, answers[i].Task, one)
	}
}

// Aside is what threads do that tasks start.
func (s *subject) Aside(t *Thread, o simOrder) {
	state := o.Seed
	for range 1 + roll(&state, 3) {
		switch roll(&state, 4) {
		case 0:
			t.Sleep(time.Duration(roll(&state, 9000)) * time.Microsecond)
		case 2:
			t.Checkpoint()
		case 1:
			s.Put(t, 1)
		case 3:
			s.mu.Lock(t)
			s.tokens++
			s.cond.Signal(t)
			t.Sleep(time.Duration(roll(&state, 900)) * time.Microsecond)
			s.mu.Unlock(t)
		}
	}
}

// keep has the state hold a peer, a new proclet or nothing.
func (s *subject) keep(t *Thread, o *simOrder, state *uint64) {
	switch roll(state, 3) {
	case 0:
		s.kept.Drop(t)
	case 1:
		p := o.Peers[roll(state, uint64(len(o.Peers)))]
		if !p.IsZero() && p.id != t.id {
			simulatedWorld.of(t).kept(s.kept.Set(t, p))
		}
	case 2:
		ref, err := New[subject](t, Options{Capacity: 64 << 10})
		if err == nil {
			err = s.kept.Set(t, ref)
		}
		simulatedWorld.of(t).kept(err)
	}
}

//go:noinline
func (w *simWorld) kept(err error) {
	if err != nil && !errors.Is(err, ErrNoProclet) && !errors.Is(err, ErrLost) && !errors.Is(err, rack.ErrLost) &&
		!errors.Is(err, ErrMaybeExecuted) && !errors.Is(err, rack.ErrFenced) && !errors.Is(err, rack.ErrUnreachable) {
		w.breaks("keeping a proclet: %v", err)
	}
}

// Clear makes the state as small as it was at first.
func (s *subject) Clear(t *Thread, _ struct{}) (struct{}, error) {
	s.kept.Drop(t)
	return struct{}{}, nil
}
