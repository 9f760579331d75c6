//go:build !race

package fiber

// carry lets c.fiber run until it leaves or ends.
func (c *carrier) carry() {
	f := c.fiber
	f.attach(c)
	swap(&c.native, &f.context)
	// Perhaps hours later; f's pages are still here.
	f = c.fiber
	c.fiber, c.local = nil, Local{}
	f.carrier = 0
	switch {
	case f.ended:
		Hooks.Ended(f)
	case f.held:
		f.held = false
		Hooks.Abandoned(f)
	default:
		Hooks.Detached(f)
	}
}
