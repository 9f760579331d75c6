package dist

import (
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// Job is work that consists of many tasks, numbered from 0, whose results are
// combined into one.
type Job[A, R any] struct {
	Tasks int

	// Run is called once for each task, on some machine, in no particular order,
	// several at a time; with the same Arg. It is a function that captures nothing. A
	// task that fails ends the job.
	Run func(t *proclet.Thread, task int, arg A) (R, error)
	Arg A

	// Combine makes one result of two. It captures nothing, does not block, and is
	// associative and commutative, because tasks end in no particular order.
	Combine func(a, b R) R
}

// ExecutorOptions say how a job is spread. The zero value is a good choice.
type ExecutorOptions struct {
	// Interval is how often it is looked where processors are free; default 1 ms.
	Interval time.Duration

	// PerProcessor bounds how many workers a machine has for each of its processors;
	// default 4. Tasks that wait leave their processor to other workers.
	PerProcessor int

	// WorkerCapacity is the capacity of a worker's heap; default 1 MiB.
	WorkerCapacity uint64
}

func (o ExecutorOptions) withDefaults() ExecutorOptions {
	if o.Interval <= 0 {
		o.Interval = time.Millisecond
	}
	if o.PerProcessor <= 0 {
		o.PerProcessor = 4
	}
	if o.WorkerCapacity == 0 {
		o.WorkerCapacity = 1 << 20
	}
	return o
}

// Executor runs a [Job] on workers, compute proclets, wherever processors are free.
// It begins with one. When there is a processor that has been free for some time, a
// worker is made for it, and gets half of the tasks of the one that has most left;
// when goroutines wait for a machine's processors, a worker there ends after its
// task, and others get what it has left. Workers may be moved at any time.
//
// It is a small value that refers to a proclet, like a [proclet.Ref]. A and R are
// types that can be kept in state and passed to calls.
//
// Each task is executed once. If a machine with a worker dies, the job fails with
// proclet.ErrLost: what tasks there have come to is not known any more.
type Executor[A, R any] struct {
	boss proclet.Ref[conductor[A, R]]
}

// Start begins a job. Something happens as long as somebody is in Wait.
func Start[A, R any](t *proclet.Thread, j Job[A, R], o ExecutorOptions) (Executor[A, R], error) {
	var e Executor[A, R]
	run, err := proclet.FuncOf(j.Run)
	if err != nil {
		return e, err
	}
	combine, err := proclet.FuncOf(j.Combine)
	if err != nil {
		return e, err
	}
	if e.boss, err = proclet.New[conductor[A, R]](t, proclet.Options{}); err != nil {
		return e, err
	}
	_, err = proclet.Call(t, e.boss, (*conductor[A, R]).begin, contract[A, R]{j.Tasks, task[A, R]{run, combine}, j.Arg, o.withDefaults()})
	if err != nil {
		e.Release(t)
		return Executor[A, R]{}, err
	}
	return e, nil
}

// Wait directs the work until it is done, and returns the result: the zero value
// if there were no tasks. The error is that of a task, or of a call. It may be
// called again and by several at once.
func (e Executor[A, R]) Wait(t *proclet.Thread) (R, error) {
	for {
		again, err := proclet.Call(t, e.boss, (*conductor[A, R]).direct, struct{}{})
		if err != nil {
			var none R
			return none, err
		}
		if again == 0 {
			return proclet.Call(t, e.boss, (*conductor[A, R]).outcome, struct{}{})
		}
		t.Sleep(again)
	}
}

// Execute runs a job and returns its result.
func Execute[A, R any](t *proclet.Thread, j Job[A, R], o ExecutorOptions) (R, error) {
	e, err := Start(t, j, o)
	if err != nil {
		var none R
		return none, err
	}
	defer e.Release(t)
	return e.Wait(t)
}

// Progress tells how far a job has come, a moment ago.
type Progress struct {
	Tasks, Done int
	Workers     []WorkersAt // by machine; those with none are left out
	Hired       int         // workers so far
	Dismissed   int         // of these, those that ended because processors were not free any more
}

// WorkersAt is how many workers are on a machine.
type WorkersAt struct {
	Machine rack.MachineID
	Workers int
}

// Progress returns how far the job has come.
func (e Executor[A, R]) Progress(t *proclet.Thread) (Progress, error) {
	return proclet.Call(t, e.boss, (*conductor[A, R]).progress, struct{}{})
}

// Cancel ends the job: tasks that run are finished, others are not begun, and Wait
// returns ErrCancelled.
func (e Executor[A, R]) Cancel(t *proclet.Thread) error {
	_, err := proclet.Call(t, e.boss, (*conductor[A, R]).cancel, struct{}{})
	return err
}

// Keep makes e, a part of the state, hold the executor that from refers to; what it
// held before is given back. See [proclet.Ref.Set].
func (e *Executor[A, R]) Keep(t *proclet.Thread, from Executor[A, R]) error {
	return e.boss.Set(t, from.boss)
}

// Drop gives back what e, a part of the state, holds.
func (e *Executor[A, R]) Drop(t *proclet.Thread) { e.boss.Drop(t) }

// Release gives back what t's method, or the ordinary goroutine, holds.
func (e Executor[A, R]) Release(t *proclet.Thread) error { return proclet.Release(t, e.boss) }
