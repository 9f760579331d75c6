// Package stress does on fibers what goroutines do, and moves them about
// meanwhile. The tests of package fiber use it, hosted and on a machine of ours.
package stress

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
)

// Thread is what lies in the header of each fiber.
type Thread struct {
	fiber.Fiber
	id     int
	rounds int
	dice   uint64
	failed bool
	depth  int // of nested calls
	passed int // deferred calls
}

func threadOf(f *fiber.Fiber) *Thread { return (*Thread)(unsafe.Pointer(f)) }

// roll returns a number below n. The generator is xorshift64.
func (t *Thread) roll(n int) int {
	t.dice ^= t.dice << 13
	t.dice ^= t.dice >> 7
	t.dice ^= t.dice << 17
	return int(t.dice>>33) % n
}

// failures of all threads, and who waits for their ends.
var world struct {
	mu       sync.Mutex
	dice     *rand.Rand
	failures []error
	images   map[int][][]byte // of lower parts that have not been thawed, by thread
	hops     int
	ended    chan int
}

// fail reports what is wrong. It is for the threads and for the carriers.
func (t *Thread) fail(format string, args ...any) {
	t.failed = true
	world.mu.Lock()
	defer world.mu.Unlock()
	world.failures = append(world.failures, fmt.Errorf("thread %d: %w", t.id, fmt.Errorf(format, args...)))
}

// hop leaves, and arrives elsewhere or here.
func (t *Thread) hop() {
	if err := t.Leave(); err != nil && fiber.Movable {
		t.fail("Leave: %w", err)
	}
}

// Region is the n-th region.
func Region(n int) mm.Range {
	return mm.Range{Base: mm.StackArea.Base + mm.Virt(n)*fiber.RegionSize, Size: fiber.RegionSize}
}

// detached decides how a thread goes on that has left: as it is, or as an image.
func detached(f *fiber.Fiber) {
	world.mu.Lock()
	world.hops++
	way := world.dice.IntN(4)
	world.mu.Unlock()
	switch way {
	case 0:
		f.Start()
	case 1:
		go f.Start()
	case 2:
		move(f).Start()
	case 3:
		go func() { move(f).Start() }()
	}
}

// move makes an image of f, forgets f, with all that was there or without, and thaws
// the image.
func move(f *fiber.Fiber) *fiber.Fiber {
	t, id := threadOf(f), threadOf(f).id
	image := f.Image()
	f.Depart()
	if id%2 == 0 {
		fiber.Trim()
		if t.id != 0 {
			t.fail("Trim has left something")
		}
	}
	f, err := fiber.Thaw(image)
	if err != nil {
		panic(fmt.Errorf("thread %d: %w", id, err))
	}
	return f
}

// ended thaws a lower part, if there is one, in any order; otherwise the thread has
// come to its end.
func ended(f *fiber.Fiber) {
	t := threadOf(f)
	id := t.id
	world.mu.Lock()
	images := world.images[id]
	if len(images) == 0 {
		world.mu.Unlock()
		f.Free()
		world.ended <- id
		return
	}
	i := world.dice.IntN(len(images))
	image := images[i]
	images[i] = images[len(images)-1]
	world.images[id] = images[:len(images)-1]
	world.mu.Unlock()
	f.Free()
	g, err := fiber.Thaw(image)
	if err != nil {
		panic(fmt.Errorf("part of thread %d: %w", id, err))
	}
	g.Start()
}

// Config says how much to do.
type Config struct {
	Threads, Rounds int
	Seed            uint64
	First           int // index of the first region
}

// Run lets threads act and move, and returns what went wrong.
func Run(c Config) error {
	if err := fiber.Check(); err != nil {
		return err
	}
	fiber.Hooks.Detached, fiber.Hooks.Ended = detached, ended
	world.dice = rand.New(rand.NewPCG(c.Seed, 0))
	world.images = map[int][][]byte{}
	world.failures, world.hops = nil, 0
	world.ended = make(chan int, c.Threads)
	for i := range c.Threads {
		f, err := fiber.New(Region(c.First+i), act)
		if err != nil {
			return err
		}
		t := threadOf(f)
		t.id, t.rounds, t.dice = i+1, c.Rounds, c.Seed*2+uint64(i)<<32|1
		f.Start()
	}
	for range c.Threads {
		<-world.ended
	}
	world.mu.Lock()
	defer world.mu.Unlock()
	for id, left := range world.images {
		if len(left) > 0 {
			world.failures = append(world.failures, fmt.Errorf("thread %d: %d parts left", id, len(left)))
		}
	}
	return errors.Join(world.failures...)
}

// Hops is how often threads have left in the last Run.
func Hops() int {
	world.mu.Lock()
	defer world.mu.Unlock()
	return world.hops
}
