package dist

import (
	"errors"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// conductor is the state of an [Executor]'s proclet. It knows the workers, asks them
// from time to time what they are at, and decides who works on what.
type conductor[A, R any] struct {
	directing proclet.Mutex // held by the one who directs, also across calls; guards what follows
	options   ExecutorOptions
	task      task[A, R]
	arg       proclet.Slice[A] // one element
	workers   proclet.Slice[hired[A, R]]
	pending   proclet.Slice[span] // tasks that no worker has
	machines  proclet.Slice[machine]
	round     int

	mu       proclet.Mutex // guards what follows
	told     numbers
	now      proclet.Slice[WorkersAt]
	stopping bool
	sum      proclet.Slice[R]
	result   proclet.Promise[struct{}]
}

// numbers are those of Progress.
type numbers struct{ tasks, done, hired, dismissed int }

// hired is a worker.
type hired[A, R any] struct {
	ref proclet.Ref[worker[A, R]]
	at  progress
}

// machine is a machine that may get workers.
type machine struct {
	id      rack.MachineID
	probe   proclet.Ref[probe]
	spare   history
	most    int // workers
	workers int
	gone    bool
}

type contract[A, R any] struct {
	tasks   int
	task    task[A, R]
	arg     A
	options ExecutorOptions
}

func (c *conductor[A, R]) begin(t *proclet.Thread, j contract[A, R]) (struct{}, error) {
	c.directing.Lock(t)
	defer c.directing.Unlock(t)
	c.options, c.task, c.told.tasks = j.options, j.task, j.tasks
	if j.tasks > 0 {
		if err := c.pending.Append(t, span{0, j.tasks}); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, c.arg.Append(t, j.arg)
}

// machinesEvery is after how many rounds it is looked which machines there are.
const machinesEvery = 64

// direct makes the decisions of one moment. It returns when the next one is due, or
// 0 when the job is over.
func (c *conductor[A, R]) direct(t *proclet.Thread, _ struct{}) (time.Duration, error) {
	if c.result.Kept() {
		return 0, nil
	}
	if !c.directing.TryLock(t) {
		return c.options.Interval, nil // somebody else does
	}
	defer c.directing.Unlock(t)
	err := c.decide(t)
	if err != nil {
		c.dismissAll(t)
		c.result.Fail(t, err)
		return 0, nil
	}
	if c.workers.Len() == 0 && (c.pending.Len() == 0 || c.isStopping(t)) {
		if c.isStopping(t) {
			c.result.Fail(t, ErrCancelled)
		} else {
			c.result.Set(t, struct{}{})
		}
		c.machines.Truncate(t, 0)
		return 0, nil
	}
	return c.options.Interval, nil
}

func (c *conductor[A, R]) decide(t *proclet.Thread) error {
	if c.round%machinesEvery == 0 {
		if err := c.meetMachines(t); err != nil {
			return err
		}
	}
	c.round++
	if err := c.inspect(t); err != nil {
		return err
	}
	if c.isStopping(t) {
		return c.stop(t)
	}
	c.probe(t)
	for i := range c.machines.Len() {
		if m := c.machines.At(i); m.spare.steady() < 0 && m.workers > 0 && c.workers.Len() > 1 {
			if err := c.dismiss(t, i); err != nil {
				return err
			}
		}
	}
	for i := 0; i < c.machines.Len(); i++ {
		for n := c.machines.At(i).spare.steady(); n > 0 && c.machines.At(i).workers < c.machines.At(i).most; n-- {
			ok, err := c.occupy(t, i)
			if err != nil {
				return err
			}
			if !ok {
				return nil // there is nothing to share out
			}
		}
	}
	if c.workers.Len() == 0 && c.pending.Len() > 0 && c.machines.Len() > 0 {
		return c.hire(t, c.round%c.machines.Len()) // one works, however busy the rack is
	}
	return nil
}

// meetMachines has a probe on every machine.
func (c *conductor[A, R]) meetMachines(t *proclet.Thread) error {
	for i := range c.machines.Len() {
		c.machines.At(i).gone = true
	}
	for _, id := range t.Machines() {
		known := false
		for i := range c.machines.Len() {
			if m := c.machines.At(i); m.id == id {
				known, m.gone = true, false
			}
		}
		if known {
			continue
		}
		p, err := proclet.New[probe](t, proclet.Options{On: id, Pinned: true, Capacity: 64 << 10})
		if err != nil {
			continue // it has just left, or has no memory
		}
		err = c.machines.Append(t, machine{id: id, probe: p})
		proclet.Release(t, p)
		if err != nil {
			return err
		}
	}
	for i := c.machines.Len() - 1; i >= 0; i-- {
		if c.machines.At(i).gone {
			c.machines.Delete(t, i, i+1)
		}
	}
	return nil
}

// probe takes a sample on every machine.
func (c *conductor[A, R]) probe(t *proclet.Thread) {
	for i := range c.machines.Len() {
		l, err := proclet.Call(t, c.machines.At(i).probe, (*probe).sample, struct{}{})
		m := c.machines.At(i)
		if err != nil {
			m.spare.forget() // it will be gone soon
			continue
		}
		m.spare.add(l.spare())
		m.most = l.processors * c.options.PerProcessor
	}
}

// inspect asks the workers what they are at, and collects what those have done
// that are over.
func (c *conductor[A, R]) inspect(t *proclet.Thread) error {
	for i := range c.machines.Len() {
		c.machines.At(i).workers = 0
	}
	for i := 0; i < c.workers.Len(); {
		at, err := proclet.Call(t, c.workers.At(i).ref, (*worker[A, R]).progress, struct{}{})
		if err != nil {
			return err
		}
		c.finish(t, at.done-c.workers.At(i).at.done)
		c.workers.At(i).at = at
		if at.over {
			if err := c.collect(t, i); err != nil {
				return err
			}
			continue
		}
		if m := c.machineOf(at.machine); m != nil {
			m.workers++
		}
		i++
	}
	return c.tell(t)
}

// machineOf returns the machine with an ID, or nil.
func (c *conductor[A, R]) machineOf(id rack.MachineID) *machine {
	for i := range c.machines.Len() {
		if m := c.machines.At(i); m.id == id {
			return m
		}
	}
	return nil
}

// collect takes the result of worker i, which is over, and lets it go.
func (c *conductor[A, R]) collect(t *proclet.Thread, i int) error {
	part, err := proclet.Call(t, c.workers.At(i).ref, (*worker[A, R]).collect, struct{}{})
	if err != nil {
		return err
	}
	for _, r := range part {
		if err := c.add(t, r); err != nil {
			return err
		}
	}
	c.workers.Delete(t, i, i+1)
	return nil
}

func (c *conductor[A, R]) add(t *proclet.Thread, r R) error {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	return accumulate(t, &c.sum, c.task.combine, r)
}

// occupy gives machine i one more worker, and reports whether there was work for
// it: what nobody has, or half of what the worker has that has most left.
func (c *conductor[A, R]) occupy(t *proclet.Thread, i int) (bool, error) {
	if c.pending.Len() == 0 {
		most := -1
		for j := range c.workers.Len() {
			if left := c.workers.At(j).at.left; left > 0 && (most < 0 || left > c.workers.At(most).at.left) {
				most = j
			}
		}
		if most < 0 {
			return false, nil
		}
		given, err := proclet.Call(t, c.workers.At(most).ref, (*worker[A, R]).give, c.workers.At(most).at.left/2)
		if err != nil {
			return false, err
		}
		c.workers.At(most).at.left -= given.len()
		if given.len() == 0 {
			c.workers.At(most).at.left = 0
			return true, nil // it was faster; look again next time
		}
		if err := c.pending.Append(t, given); err != nil {
			return false, err
		}
	}
	return true, c.hire(t, i)
}

// hire makes a worker on machine i for the last of the pending tasks.
func (c *conductor[A, R]) hire(t *proclet.Thread, i int) error {
	w, err := proclet.New[worker[A, R]](t, proclet.Options{On: c.machines.At(i).id, Capacity: c.options.WorkerCapacity})
	if err != nil {
		if errors.Is(err, proclet.ErrHeapFull) {
			return err
		}
		c.machines.At(i).spare.forget() // it cannot have one at the moment
		return nil
	}
	defer proclet.Release(t, w)
	s, _ := c.pending.Pop(t)
	if _, err := proclet.Call(t, w, (*worker[A, R]).begin, s); err != nil {
		return err
	}
	if err := c.workers.Append(t, hired[A, R]{ref: w, at: progress{left: s.len()}}); err != nil {
		return err
	}
	c.machines.At(i).workers++
	c.machines.At(i).spare.forget()
	c.mu.Lock(t)
	c.told.hired++
	c.mu.Unlock(t)
	proclet.Go(t, w, (*worker[A, R]).work, orders[A, R]{c.task, *c.arg.At(0)})
	return nil
}

// dismiss takes what it has left from a worker on machine i.
func (c *conductor[A, R]) dismiss(t *proclet.Thread, i int) error {
	for j := range c.workers.Len() {
		if w := c.workers.At(j); w.at.machine != c.machines.At(i).id || w.at.left == 0 {
			continue
		}
		if err := c.takeAll(t, j); err != nil {
			return err
		}
		c.machines.At(i).spare.forget()
		c.mu.Lock(t)
		c.told.dismissed++
		c.mu.Unlock(t)
		return nil
	}
	return nil
}

// takeAll takes what it has left from worker j.
func (c *conductor[A, R]) takeAll(t *proclet.Thread, j int) error {
	given, err := proclet.Call(t, c.workers.At(j).ref, (*worker[A, R]).give, 0)
	if err != nil {
		return err
	}
	c.workers.At(j).at.left = 0
	if given.len() > 0 {
		return c.pending.Append(t, given)
	}
	return nil
}

// stop takes everything from all workers.
func (c *conductor[A, R]) stop(t *proclet.Thread) error {
	for j := range c.workers.Len() {
		if err := c.takeAll(t, j); err != nil {
			return err
		}
	}
	return nil
}

// dismissAll lets all workers go when the job has failed.
func (c *conductor[A, R]) dismissAll(t *proclet.Thread) {
	for j := range c.workers.Len() {
		c.takeAll(t, j) // one that cannot be told is lost
	}
	c.workers.Truncate(t, 0)
	c.pending.Truncate(t, 0)
	c.machines.Truncate(t, 0)
}
