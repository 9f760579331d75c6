package fiber_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
	"nuos/proclet/internal/fiber/internal/stress"
	"nuos/proclet/internal/stackmap"
)

// results is where the fibers of these tests report, which they do not do across a
// Leave.
var results = make(chan error, 10)

// TestRefusal verifies that a fiber with a pointer into Go's heap stays and goes on, and
// can leave when it has done with it.
func TestRefusal(t *testing.T) {
	needMovable(t)
	fs := hooked(t)
	start(1, func(f *fiber.Fiber) {
		s := strings.Repeat("x", headerOf(f).n+3)
		results <- f.Leave()
		results <- errors.New(s)
		results <- f.Leave()
	})
	var refusal *stackmap.Refusal
	if err := <-results; !errors.As(err, &refusal) || !strings.Contains(refusal.Func, "TestRefusal") {
		t.Errorf("Leave: %v; want a refusal that names the test", err)
	}
	if err := <-results; err.Error() != "xxx" {
		t.Errorf("after the refusal there is %v; want xxx", err)
	}
	(<-fs.detached).Start()
	if err := <-results; err != nil {
		t.Error(err)
	}
	(<-fs.ended).Free()
}

// TestLocal verifies that the slot keeps what the collector would free, and does not
// keep it longer than the fiber is there.
func TestLocal(t *testing.T) {
	needMovable(t)
	fs := hooked(t)
	start(1, func(f *fiber.Fiber) {
		f.Local().Value = fmt.Errorf("error %d", 5)
		results <- f.Leave()
		if v := f.Local().Value; v != nil {
			results <- fmt.Errorf("the slot holds %v", v)
		}
		results <- nil
	})
	(<-fs.detached).Start()
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	(<-fs.ended).Free()
}

// TestNewRefuses verifies that mistakes are told at once.
func TestNewRefuses(t *testing.T) {
	hooked(t)
	n := 0
	f, err := fiber.New(stress.Region(1), func(*fiber.Fiber) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fiber.New(stress.Region(1), func(*fiber.Fiber) {}); !errors.Is(err, fiber.ErrOccupied) {
		t.Errorf("New in a region that is in use: %v", err)
	}
	for name, do := range map[string]func(){
		"closure": func() { fiber.New(stress.Region(2), func(*fiber.Fiber) { n++ }) },
		"size":    func() { fiber.New(mm.Range{Base: mm.StackArea.Base, Size: 4096}, func(*fiber.Fiber) {}) },
		"area":    func() { fiber.New(mm.Range{Base: mm.HeapArea.Base, Size: fiber.RegionSize}, func(*fiber.Fiber) {}) },
		"aligned": func() {
			fiber.New(mm.Range{Base: mm.StackArea.Base + 4096, Size: fiber.RegionSize}, func(*fiber.Fiber) {})
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: New does not panic", name)
				}
			}()
			do()
		}()
	}
	f.Free()
}

// TestArena verifies where the arena ends, and that it is zeroed when used again.
func TestArena(t *testing.T) {
	fs := hooked(t)
	start(1, func(f *fiber.Fiber) {
		mark := f.Mark()
		for range 2 {
			p := (*[1000]byte)(f.Alloc(1000))
			if *p != [1000]byte{} {
				results <- errors.New("not zeroed")
			}
			p[0], p[999] = 1, 1
			f.Release(mark)
		}
		for f.Alloc(1<<20-1) != nil {
			headerOf(f).n++
		}
		if f.Alloc(^uintptr(0)) != nil || f.Alloc(fiber.ArenaSize+1) != nil {
			results <- errors.New("more than there is")
		}
		f.Release(mark)
		if f.Alloc(fiber.ArenaSize) == nil || f.Alloc(1) != nil {
			results <- errors.New("the arena has another size")
		}
		if room := f.Room(); room < 40<<20 || room > fiber.RegionSize {
			results <- fmt.Errorf("room for %d bytes", room)
		}
		results <- nil
	})
	if err := <-results; err != nil {
		t.Error(err)
	}
	f := <-fs.ended
	if n := headerOf(f).n; n != fiber.ArenaSize>>20 {
		t.Errorf("%d MiB; want %d", n, fiber.ArenaSize>>20)
	}
	f.Free()
}
