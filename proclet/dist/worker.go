package dist

import (
	"fmt"
	"runtime/debug"

	"nuos/proclet"
	"nuos/rack"
)

// A span is a range of tasks, from up to to.
type span struct{ from, to int }

func (s span) len() int { return s.to - s.from }

// task is what a job consists of.
type task[A, R any] struct {
	run     proclet.Func[func(*proclet.Thread, int, A) (R, error)]
	combine proclet.Func[func(R, R) R]
}

// worker is the state of a compute proclet: it runs the tasks of a span, one after
// the other, and gives some of them away when it is told to.
type worker[A, R any] struct {
	mu      proclet.Mutex
	todo    span
	done    int                  // tasks
	partial proclet.Slice[R]     // what they have come to; empty or one element
	outcome proclet.Promise[int] // done, or why a task failed
}

// orders are what a worker needs to know to run tasks.
type orders[A, R any] struct {
	task task[A, R]
	arg  A
}

// begin gives the worker its tasks, which it may lose again before it works.
func (w *worker[A, R]) begin(t *proclet.Thread, todo span) (struct{}, error) {
	w.mu.Lock(t)
	defer w.mu.Unlock(t)
	w.todo = todo
	return struct{}{}, nil
}

// work runs the tasks.
func (w *worker[A, R]) work(t *proclet.Thread, o orders[A, R]) (struct{}, error) {
	ended := false
	defer func() {
		if !ended { // a task has panicked, or ended its goroutine
			v := recover()
			w.outcome.Fail(t, &proclet.PanicError{Value: fmt.Sprint(v), Stack: string(debug.Stack())})
		}
	}()
	err := w.runAll(t, &o)
	if err != nil {
		err = w.outcome.Fail(t, err)
	} else {
		err = w.outcome.Set(t, w.done)
	}
	ended = true
	return struct{}{}, err
}

func (w *worker[A, R]) runAll(t *proclet.Thread, o *orders[A, R]) (err error) {
	for err == nil {
		i, ok := w.next(t)
		if !ok {
			return nil
		}
		t.Scope(func() { err = w.runOne(t, o, i) })
		t.Checkpoint()
	}
	return err
}

func (w *worker[A, R]) runOne(t *proclet.Thread, o *orders[A, R], i int) error {
	run, err := o.task.run.Get()
	if err != nil {
		return err
	}
	res, err := run(t, i, o.arg)
	if err != nil {
		return err
	}
	return w.add(t, o, res)
}

// next takes the next task.
func (w *worker[A, R]) next(t *proclet.Thread) (i int, ok bool) {
	w.mu.Lock(t)
	defer w.mu.Unlock(t)
	if w.todo.len() <= 0 {
		return 0, false
	}
	i = w.todo.from
	w.todo.from++
	return i, true
}

// add adds the result of a task.
func (w *worker[A, R]) add(t *proclet.Thread, o *orders[A, R], res R) error {
	w.mu.Lock(t)
	defer w.mu.Unlock(t)
	w.done++
	return accumulate(t, &w.partial, o.task.combine, res)
}

// accumulate combines res with what is in sum, if there is anything.
func accumulate[R any](t *proclet.Thread, sum *proclet.Slice[R], f proclet.Func[func(R, R) R], res R) error {
	if sum.Len() == 0 {
		return sum.Append(t, res)
	}
	combine, err := f.Get()
	if err != nil {
		return err
	}
	return sum.Set(t, 0, combine(*sum.At(0), res))
}

// progress is what a worker is at.
type progress struct {
	left    int // tasks that are not begun
	done    int
	over    bool
	machine rack.MachineID
}

func (w *worker[A, R]) progress(t *proclet.Thread, _ struct{}) (progress, error) {
	w.mu.Lock(t)
	defer w.mu.Unlock(t)
	return progress{w.todo.len(), w.done, w.outcome.Kept(), t.Machine()}, nil
}

// give takes tasks that are not begun from the worker, the last ones, and leaves
// it keep of them.
func (w *worker[A, R]) give(t *proclet.Thread, keep int) (span, error) {
	w.mu.Lock(t)
	defer w.mu.Unlock(t)
	given := span{min(w.todo.from+keep, w.todo.to), w.todo.to}
	w.todo.to = given.from
	return given, nil
}

// collect returns what the tasks of a worker that is over have come to, none or one
// value, or why one failed.
func (w *worker[A, R]) collect(t *proclet.Thread, _ struct{}) ([]R, error) {
	w.mu.Hold(t)
	if _, err := w.outcome.Wait(t); err != nil {
		return nil, err
	}
	if w.partial.Len() == 0 {
		return nil, nil
	}
	return []R{*w.partial.At(0)}, nil
}
