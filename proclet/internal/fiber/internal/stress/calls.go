package stress

import (
	"errors"
	"runtime"

	"nuos/proclet/internal/fiber"
)

// goexit ends a call, and nothing below it.
func goexit(t *Thread) {
	if !fiber.Movable {
		return
	}
	passed := t.passed
	t.Call(exits)
	if t.passed != passed+1 {
		t.fail("%d deferred calls below Goexit; want 1", t.passed-passed)
	}
}

// exits is ended by a Goexit, its own or one of a call it makes.
func exits(f *fiber.Fiber) {
	t := threadOf(f)
	defer func() {
		if !f.Exiting() {
			t.fail("ended without Goexit")
		}
		f.Escape()
	}()
	defer func() { t.passed++ }()
	if t.roll(2) == 0 {
		f.Call(func(f *fiber.Fiber) { leaf(f); runtime.Goexit() })
	}
	defer t.hop()
	defer func() {
		if r := recover(); r != nil {
			t.fail("Goexit is a panic: %v", r)
		}
	}()
	t.recurse(3, 1)
	if t.roll(2) == 0 {
		defer runtime.Goexit()
		panic("bypassed")
	}
	if t.roll(2) == 0 {
		defer t.Call(leaf)
		defer t.Call(quiet)
	}
	runtime.Goexit()
}

// quiet asks for a Goexit when there is one, but not its own.
func quiet(f *fiber.Fiber) {
	defer func() {
		if f.Exiting() {
			threadOf(f).fail("Exiting in a call that returns")
		}
	}()
	leaf(f)
}

// calls nests calls that return, panic and go on.
func calls(t *Thread) {
	n := 0
	defer func() {
		if r := recover(); r != "through" || n != 1 {
			t.fail("recovered %v after %d calls", r, n)
		}
		t.hop()
		t.Call(leaf) // what the panic has passed through is forgotten
	}()
	t.Call(leaf)
	n++
	t.Call(func(f *fiber.Fiber) {
		f.Call(func(f *fiber.Fiber) {
			f.Call(leaf)
			panic("through")
		})
	})
}

func leaf(f *fiber.Fiber) {
	t := threadOf(f)
	if t.roll(2) == 0 {
		t.hop()
	}
}

// tower nests calls and splits itself on top of them. Its lower parts go on one by
// one, in any order, when the part above has ended: what they verify is only that
// each has its own.
func tower(t *Thread) {
	if !fiber.Movable || t.rounds%4 != 0 {
		return
	}
	t.depth = 0
	t.Call(storey)
}

// storey is a call. Everything it uses is its own: the header is a copy in each part.
func storey(f *fiber.Fiber) {
	t := threadOf(f)
	t.depth++
	level, base := t.depth, f.Base()
	defer func() {
		if f.Exiting() {
			f.Escape()
		}
	}()
	local := [3]int{level, -level, t.id}
	mine := (*[8]int)(f.Alloc(64))
	for i := range mine {
		mine[i] = level*100 + i
	}
	deferred := 0
	switch t.roll(4) {
	case 0:
		defer func() {
			if deferred++; local[0] != level {
				t.fail("a deferred call of level %d has lost its frame", level)
			}
		}()
		up(f)
	case 1:
		func() {
			defer func() {
				if r := recover(); r != "while leaving" && !f.Exiting() {
					t.fail("level %d recovered %v", level, r)
				}
			}()
			defer up(f) // with a panic in flight below
			panic("while leaving")
		}()
	case 2:
		records(t)
		up(f)
	default:
		up(f)
	}
	if local != [3]int{level, -level, t.id} {
		t.fail("level %d has lost its frame", level)
	}
	for i := range mine {
		if mine[i] != level*100+i {
			t.fail("level %d has lost its arena", level)
			break
		}
	}
	if f.Base() < base {
		t.fail("base of level %d was %d and is %d", level, base, f.Base())
	}
	f.Call(leaf)
}

// up calls the next level, or splits.
func up(f *fiber.Fiber) {
	t := threadOf(f)
	if t.depth < 12 && t.roll(5) != 0 {
		f.Call(storey)
		return
	}
	if t.roll(3) == 0 {
		func() {
			defer func() { recover() }()
			defer split(f) // with a panic in flight above
			panic("while splitting")
		}()
	} else {
		split(f)
	}
	t.hop()
	switch t.roll(4) {
	case 0, 1:
		if t.depth < 20 {
			f.Call(storey) // and perhaps again
		}
	case 2:
		runtime.Goexit() // ends this level
	}
}

func split(f *fiber.Fiber) {
	t := threadOf(f)
	before := f.Base()
	images, err := f.Split()
	if err != nil {
		t.fail("Split: %w", err)
		return
	}
	if f.Base() != before+len(images) {
		t.fail("Split into %d: base was %d and is %d", len(images), before, f.Base())
	}
	world.mu.Lock()
	world.images[t.id] = append(world.images[t.id], images...)
	world.mu.Unlock()
	runtime.Gosched()
}

// crossing splits in a deferred call below a boundary that runs because of a panic
// above it.
func crossing(t *Thread) {
	if !fiber.Movable {
		return
	}
	defer func() { recover() }()
	defer func() {
		if _, err := t.Split(); !errors.Is(err, fiber.ErrPanicking) {
			t.fail("Split: %v; want ErrPanicking", err)
		}
	}()
	t.Call(func(*fiber.Fiber) { panic("crossing") })
}
