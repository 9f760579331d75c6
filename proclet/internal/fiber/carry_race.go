//go:build race

package fiber

// carry calls the entry function: the fiber is this goroutine. Goexit runs to
// its end and takes the carrier with it.
func (c *carrier) carry() {
	f := c.fiber
	f.attach(c)
	defer func() {
		c.fiber, c.local = nil, Local{}
		f.carrier = 0
		f.ended = true
		Hooks.Ended(f)
	}()
	f.function()(f)
}
