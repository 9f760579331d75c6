package fiber

// context is what makes a goroutine run on one stack or on another.
type context struct {
	sp, bp   uintptr
	pc       uintptr // where execution goes on: the word that sp points at
	lo, hi   uintptr // g.stack
	top      uintptr // g.stktopsp: the stack pointer in the outermost frame
	deferred uintptr // g._defer
	panicked uintptr // g._panic
}

// swap saves in save what runs and goes on with load. It returns when somebody
// swaps to save, possibly on another goroutine or machine.
//
// Sound because it is assembly without a frame: it is never preempted
// asynchronously and the collector never sees it in the middle of a stack. save may
// lie on the stack that is left for good, and load too: all is read before the
// stack pointer changes.
//
//go:noescape
func swap(save, load *context)

// here fills in c like swap, and goes on. c.pc and c.bp are the caller's.
//
//go:noescape
func here(c *context)

// cut makes c.top the outermost end of the stack that runs: the function that would
// return there returns to base. It is assembly because the collector must see all
// of it or nothing. c.deferred and c.panicked become g's.
//
//go:noescape
func cut(c *context, base uintptr)

// call calls fn(f) in a frame that is a boundary.
//
//go:noescape
func call(f *Fiber, fn uintptr)

// getg returns the address of the goroutine's g.
func getg() uintptr

// parkCAS is a compare-and-swap for the scheduler's stack, where the race detector's
// own must not be called.
//
//go:noescape
func parkCAS(p *uint32, old, new uint32) bool

// entryPoints returns addresses of code: where a new fiber begins, and where the
// outermost function of a fiber returns to.
func entryPoints() (run, base uintptr)

// programBounds returns the bounds of the program's code and of its read-only
// data, that the linker has defined.
func programBounds() (text, etext, rodata, erodata uintptr)
