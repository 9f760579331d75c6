package fiber_test

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"nuos/proclet/internal/fiber"
	"nuos/proclet/internal/stackmap"
)

// doze sleeps until it has seen all tickets. It returns n.
//
//go:noinline
func doze(f *fiber.Fiber, n int) int {
	one := 1
	p := &one // on its own stack, that moves with it
	if n > 0 {
		defer func() { headerOf(f).n++ }()
		return doze(f, n-1) + *p
	}
	for seen := int64(0); seen < wanted.Load(); {
		f.Park()
		var zero [6]uint64
		f.ClearKick()
		for _, z := range zero {
			seen += int64(z)
		}
		seen += tickets.Swap(0)
	}
	return 0
}

// TestHold holds a fiber in its sleep, again and again, while others wake it. Then it
// sleeps on, or goes on as an image of it.
func TestHold(t *testing.T) {
	needMovable(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	fs := hooked(t)
	abandoned := make(chan *fiber.Fiber)
	fiber.Hooks.Abandoned = func(f *fiber.Fiber) { abandoned <- f }
	const depth, images = 10, 1000
	tickets.Store(0)
	wanted.Store(1 << 62) // until there have been enough images
	f := start(1, func(f *fiber.Fiber) {
		if got := doze(f, depth); got != depth {
			panic(got)
		}
	})
	var here sync.Mutex // held while f is not there, and must not be woken
	over := make(chan bool)
	var waker sync.WaitGroup
	waker.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-over:
				return
			default:
			}
			here.Lock()
			tickets.Add(1)
			if i%2 == 0 {
				f.Unpark()
			} else {
				f.Kick()
			}
			here.Unlock()
			runtime.Gosched()
		}
	})
	for made := 0; made < images; {
		if !f.Hold() {
			runtime.Gosched()
			continue
		}
		if err := f.MayLeave(); err != nil {
			t.Fatal(err)
		}
		if dice.IntN(2) == 0 {
			f.LetGo()
			continue
		}
		image := f.Image()
		if got, want := uintptr(len(image)), f.ImageSize(); got != want {
			t.Fatalf("an image of %d bytes; want %d", got, want)
		}
		here.Lock()
		f.Abandon()
		(<-abandoned).Depart()
		if made%100 == 0 {
			fiber.Trim()
		}
		if g, err := fiber.Thaw(image); err != nil || g != f {
			t.Fatal(g, err)
		}
		f.Start()
		f.Unpark() // what has woken it after the image was made
		here.Unlock()
		made++
	}
	close(over)
	waker.Wait()
	wanted.Store(0)
	f.Unpark()
	if f := <-fs.ended; headerOf(f).n != depth {
		t.Errorf("%d deferred functions have run; want %d", headerOf(f).n, depth)
	}
	f.Free()
}

// TestHoldRefusal verifies that what cannot leave is found in a fiber that sleeps, and
// that it goes on.
func TestHoldRefusal(t *testing.T) {
	needMovable(t)
	fs := hooked(t)
	f := start(1, func(f *fiber.Fiber) {
		s := strings.Repeat("x", headerOf(f).n+3)
		for !f.Kicked() {
			f.Park()
		}
		results <- errors.New(s)
	})
	for !f.Hold() {
		runtime.Gosched()
	}
	if f.Hold() {
		t.Error("held twice")
	}
	var refusal *stackmap.Refusal
	if err := f.MayLeave(); !errors.As(err, &refusal) || !strings.Contains(refusal.Func, "TestHoldRefusal") {
		t.Errorf("MayLeave: %v; want a refusal that names the test", err)
	}
	f.Kick()
	f.LetGo()
	if err := <-results; err.Error() != "xxx" {
		t.Errorf("after the refusal there is %v; want xxx", err)
	}
	(<-fs.ended).Free()
}
