//go:build race

package fiber

// carry calls the entry function: the fiber is this goroutine. A runtime.Goexit ends
// both.
func (c *carrier) carry() {
	f, returned := c.fiber, false
	f.attach(c)
	defer func() {
		c.fiber, c.local = nil, Local{}
		f.carrier = 0
		f.ended = true
		Hooks.Ended(f)
		if !returned {
			carriers.mu.Lock()
			c.remove()
			carriers.mu.Unlock()
		}
	}()
	f.function()(f)
	returned = true
}
