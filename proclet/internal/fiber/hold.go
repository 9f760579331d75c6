package fiber

// A fiber that sleeps need not be woken to leave: its stack does not change until
// somebody lets it go on, and where it goes on was noted when it fell asleep.

// Hold keeps f asleep if it sleeps in Park, and reports whether it does. What would
// wake it takes effect when it is let go. Any goroutine may call it, as Unpark; until
// LetGo or Abandon f is the caller's.
func (f *Fiber) Hold() bool {
	if !Movable || !f.parker.state.CompareAndSwap(asleep, held) {
		return false
	}
	f.held = true
	return true
}

// LetGo ends what Hold began: f sleeps on, or goes on if it was woken meanwhile.
func (f *Fiber) LetGo() {
	f.held = false
	if !f.parker.state.CompareAndSwap(held, asleep) { // somebody has left a permit
		f.parker.ready()
	}
}

// MayLeave returns the error that Leave would if f, which is held, called it where it
// sleeps. If there is none an image may be made of f, as of one that has left there.
func (f *Fiber) MayLeave() error {
	all := part{f.context, f.arenaBase, f.arena}
	return all.check(f)
}

// Abandon has the carrier of f, which is held, give f up, because an image of it lives
// on. Hooks.Abandoned is called then; until that f's region is occupied.
func (f *Fiber) Abandon() {
	f.parker.state.Store(permit)
	f.parker.ready()
}

// sleep parks f, which calls it, and notes first that f goes on where sleep
// returns to.
//
//go:noinline
func sleep(f *Fiber) {
	if Movable {
		c := &f.context
		here(c)
		c.sp, c.pc, c.bp = c.bp+8, *word(c.bp + 8), *word(c.bp) // as the caller goes on
	}
	f.parker.park()
	if f.held { // it was abandoned: nothing else wakes it
		swap(&f.context, &f.carried().native)
	}
}

// sleepReturn is the address that all who were held go on at.
var sleepReturn = func() uintptr {
	var f Fiber
	f.parker.unpark()
	f.Park()
	return f.context.pc
}()
