package dist

import "nuos/proclet"

// What a conductor tells those who ask.

// finish counts tasks that have been done.
func (c *conductor[A, R]) finish(t *proclet.Thread, n int) {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	c.told.done += n
}

// tell makes known how many workers each machine has.
func (c *conductor[A, R]) tell(t *proclet.Thread) error {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	c.now.Truncate(t, 0)
	for i := range c.machines.Len() {
		if m := c.machines.At(i); m.workers > 0 {
			if err := c.now.Append(t, WorkersAt{m.id, m.workers}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *conductor[A, R]) progress(t *proclet.Thread, _ struct{}) (Progress, error) {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	p := Progress{Tasks: c.told.tasks, Done: c.told.done, Hired: c.told.hired, Dismissed: c.told.dismissed}
	for _, w := range c.now.All() {
		p.Workers = append(p.Workers, *w)
	}
	return p, nil
}

// outcome returns the result of a job that is over.
func (c *conductor[A, R]) outcome(t *proclet.Thread, _ struct{}) (res R, err error) {
	if _, err := c.result.Wait(t); err != nil {
		return res, err
	}
	c.mu.Hold(t)
	if c.sum.Len() > 0 {
		res = *c.sum.At(0)
	}
	return res, nil
}

// cancel ends the job at the next opportunity.
func (c *conductor[A, R]) cancel(t *proclet.Thread, _ struct{}) (struct{}, error) {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	c.stopping = true
	return struct{}{}, nil
}

func (c *conductor[A, R]) isStopping(t *proclet.Thread) bool {
	c.mu.Lock(t)
	defer c.mu.Unlock(t)
	return c.stopping
}
