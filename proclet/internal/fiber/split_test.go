package fiber_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"nuos/proclet/internal/fiber"
	"nuos/proclet/internal/stackmap"
)

// returned is what a part of nest has to say when it returns.
type returned struct{ level, base, deferred, arena int }

var (
	said   = make(chan returned, 100)
	images = make(chan [][]byte, 1)
)

// nest calls itself behind boundaries and splits on top.
func nest(f *fiber.Fiber) {
	h := headerOf(f)
	level, deferred := h.n, 0
	h.n++
	p := (*int)(f.Alloc(8))
	*p = level * 100
	func() {
		defer func() { deferred++ }()
		if level < 4 {
			f.Call(nest)
			return
		}
		split, err := f.Split()
		if err != nil {
			panic(err)
		}
		images <- split
	}()
	said <- returned{level, f.Base(), deferred, *p}
}

// TestSplit finishes the parts of a fiber in all sorts of orders, each on its own.
func TestSplit(t *testing.T) {
	needMovable(t)
	fs := hooked(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		start(1, nest)
		parts := <-images
		if len(parts) != 4 {
			t.Fatalf("%d lower parts; want 4", len(parts))
		}
		check := func(level int) {
			t.Helper()
			f := <-fs.ended
			if got, want := <-said, (returned{level, level, 1, level * 100}); got != want || f.Base() != level {
				t.Errorf("a part says %+v and ends with base %d; want %+v", got, f.Base(), want)
			}
			f.Free()
		}
		check(4)
		for _, i := range dice.Perm(4) {
			if base := headerIn(parts[i]).Base(); base != i {
				t.Errorf("the image of part %d has base %d", i, base)
			}
			f, err := fiber.Thaw(parts[i])
			if err != nil {
				t.Fatal(err)
			}
			f.Start()
			check(i)
		}
	}
}

// TestSplitRefused verifies that a part that cannot leave leaves all as it was.
func TestSplitRefused(t *testing.T) {
	needMovable(t)
	fs := hooked(t)
	for name, entry := range map[string]func(*fiber.Fiber){
		"heap below": func(f *fiber.Fiber) {
			s := make([]int, headerOf(f).n+5)
			f.Call(splitting)
			headerOf(f).note[0] += len(slices.Clone(s))
		},
		"stack below": func(f *fiber.Fiber) {
			n := 0
			f.Call(func(f *fiber.Fiber) {
				splitting(f)
				n += 5
			})
			headerOf(f).note[0] += n
		},
		"arena below": func(f *fiber.Fiber) {
			p := (*int)(f.Alloc(unsafe.Sizeof(int(0))))
			f.Call(func(f *fiber.Fiber) {
				splitting(f)
				*p = 5
			})
			headerOf(f).note[0] += *p
		},
		"defer in a loop above": func(f *fiber.Fiber) {
			f.Call(func(f *fiber.Fiber) {
				for range 5 {
					defer func() { headerOf(f).note[0]++ }()
				}
				splitting(f)
			})
		},
		"panic below": func(f *fiber.Fiber) {
			defer func() {
				if recover() == "bottom" {
					headerOf(f).note[0] += 5
				}
			}()
			defer func() {
				f.Call(func(f *fiber.Fiber) {
					f.Call(func(f *fiber.Fiber) {
						s := make([]int, headerOf(f).n+5)
						f.Call(splitting)
						clear(s)
					})
				})
			}()
			panic("bottom")
		},
	} {
		start(1, entry)
		var refusal *stackmap.Refusal
		if err := <-results; !errors.As(err, &refusal) {
			t.Errorf("%s: %v; want a refusal", name, err)
		} else {
			t.Logf("%s: %v", name, err)
		}
		f := <-fs.ended
		if h := headerOf(f); h.note[0] != 5 || f.Base() != 0 {
			t.Errorf("%s: it ended with %d, base %d; want 5, 0", name, h.note[0], f.Base())
		}
		f.Free()
	}
}

func splitting(f *fiber.Fiber) {
	_, err := f.Split()
	results <- err
}
