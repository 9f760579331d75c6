package fiber

import (
	"sync/atomic"
	"unsafe"

	"nuos/mm"
)

// Fiber is the state of a fiber: the first field of what lies in its header. It
// travels with it. There are no pointers in it, since the collector does not
// look there; the same holds for all of the header.
type Fiber struct {
	magic   uint64
	context context // while detached or asleep
	entry   uintptr // func(*Fiber), static
	base    int     // index of the lowest boundary of this part
	ended   bool
	held    bool // somebody keeps it asleep, or has abandoned it; see Hold

	arena     uintptr // the first free address
	arenaBase uintptr // where the arena of this part begins

	kicked atomic.Uint32

	// Of this machine.
	parker  parker
	carrier uintptr // *carrier, 0 while detached

	newer, older uintptr // in the list freed
}

// The magic of a header: in use, in the list freed, or neither.
const (
	inUse = 0x7265_6269_665f_756e // "nu_fiber"
	free  = 0x6565_7266_665f_756e // "nu_ffree"
)

// Hooks are called by the carrier, on its own stack, when it has put down a fiber.
// They are set once, before the first fiber starts.
var Hooks struct {
	// Detached: f has left. It may be started again, or made an image of.
	Detached func(f *Fiber)
	// Abandoned: f was abandoned. Depart may be called.
	Abandoned func(f *Fiber)
	// Ended: the entry function of f, or after a Split the outermost function of
	// the part that is f now, has returned. Free may be called.
	Ended func(f *Fiber)
}

// New makes a fiber in a region that is not in use; if it is, the error is
// ErrOccupied. The fiber's header is zeroed, but for the Fiber. Start runs entry in
// it, which must be a function that captures nothing. New panics if it does, or if
// region is no region.
func New(region mm.Range, entry func(*Fiber)) (*Fiber, error) {
	if err := checkRegion(region); err != nil {
		panic(err)
	}
	code := *(*uintptr)(unsafe.Pointer(&entry))
	if !static(code) {
		panic("fiber: entry is not a static function")
	}
	f := at(uintptr(region.Base))
	if err := f.take(); err != nil {
		return nil, err
	}
	clear(f.header())
	f.magic = inUse
	f.entry = code
	f.arena, f.arenaBase = uintptr(region.Base), uintptr(region.Base)
	top := f.stackHi() - topSpace
	f.context = context{sp: top - 16, pc: runPC, lo: f.stackLo(), hi: f.stackHi(), top: top}
	*word(top - 16), *word(top - 8), *word(top) = runPC, basePC, 0
	return f, nil
}

var runPC, basePC = entryPoints()

// header is the memory of the header.
//
// It is not inlined, because then Go 1.26 fails to compile a copy of it: of so few
// bytes, a constant number, at an address that was a number.
//
//go:noinline
func (f *Fiber) header() []byte { return unsafe.Slice((*byte)(unsafe.Pointer(f)), HeaderSize) }

// static reports whether p is the address of a function value that the linker
// has laid down in read-only data, as it does for one that captures nothing.
func static(p uintptr) bool {
	text, etext, rodata, erodata := programBounds()
	if p%8 != 0 || p < rodata || p > erodata-8 {
		return false
	}
	pc := *word(p)
	return pc >= text && pc < etext
}

// run is where a new fiber begins, as if base had called it.
func run() {
	f := current()
	defer func() {
		if f.Exiting() {
			f.Escape() // the runtime would free the carrier's stack, that is not its own
		}
	}()
	f.function()(f)
}

// function is what New was given.
func (f *Fiber) function() func(*Fiber) { return *(*func(*Fiber))(unsafe.Pointer(&f.entry)) }

// end is called by base when the outermost function has returned.
func end() {
	f := current()
	f.ended = true
	swap(&f.context, &f.carried().native)
}

// Leave detaches f, which calls it. It returns when f has been started again, here
// or on another machine. If the stack holds something that cannot leave, f stays
// attached and the error is a *stackmap.Refusal that says what.
//
// Pointers that its callers have into Go's heap and still use are refused, pointers
// that they have used are not.
//
//go:noinline
func (f *Fiber) Leave() error {
	if !Movable {
		return ErrNotMovable
	}
	var c context
	here(&c)
	all := part{c, f.arenaBase, f.arena}
	if err := all.check(f); err != nil {
		return err
	}
	leave(&f.context, &f.carried().native)
	return nil
}

// leave is the one place that fibers go on at, so that Thaw knows it.
//
//go:noinline
func leave(save, load *context) { swap(save, load) }

// Park lets f, which calls it, sleep until somebody calls Unpark or Kick. If
// somebody has since the last Park, it returns at once. It may also return without
// that, so it is called in a loop. A kicked fiber does not sleep until ClearKick.
//
// It may return on another machine: whoever holds f may make an image of it.
//
//go:noinline
func (f *Fiber) Park() {
	if f.kicked.Load() == 0 {
		sleep(f)
	}
}

// Unpark ends f's sleep, or its next one. Any goroutine may call it while f is here,
// attached or not; a detached fiber keeps it in mind.
func (f *Fiber) Unpark() { f.parker.unpark() }

// Kick asks f to come to a point where it can leave: it wakes it, and it does not
// sleep any more. Any goroutine may call it, as Unpark.
func (f *Fiber) Kick() {
	f.kicked.Store(1)
	f.parker.unpark()
}

// Asleep reports whether f sleeps in Park. Any goroutine may ask while f is attached; it may have
// changed by the time it knows.
func (f *Fiber) Asleep() bool { return f.parker.state.Load() >= asleep }

// Kicked reports whether f has been kicked. It is an atomic load.
func (f *Fiber) Kicked() bool { return f.kicked.Load() != 0 }

// ClearKick forgets about kicks.
func (f *Fiber) ClearKick() { f.kicked.Store(0) }

// Base returns the index of the lowest boundary that is, or would be, on f's stack:
// 0 unless a Split has cut lower parts off.
func (f *Fiber) Base() int { return f.base }

// Room returns how many bytes of stack are left for f, which calls it. Under the race
// detector, where the stack grows like that of any goroutine, it is all of it.
func (f *Fiber) Room() uintptr {
	if !Movable {
		return stackSize
	}
	var b byte
	return uintptr(unsafe.Pointer(&b)) - f.stackLo() - stackGuard
}
