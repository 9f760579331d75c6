package fiber_test

import (
	"sync"
	"testing"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
	"nuos/proclet/internal/fiber/internal/stress"
)

// pool is how the benchmarks get regions: the way proclets do.
type pool struct {
	mu   sync.Mutex
	free []mm.Range
	done sync.WaitGroup
}

func newPool(n int) *pool {
	p := &pool{}
	for i := range n {
		p.free = append(p.free, stress.Region(1000+i))
	}
	fiber.Hooks.Ended = func(f *fiber.Fiber) {
		f.Free()
		p.put(f.Region())
		p.done.Done()
	}
	return p
}

func (p *pool) get() mm.Range {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free) - 1
	r := p.free[n]
	p.free = p.free[:n]
	return r
}

func (p *pool) fiber(entry func(*fiber.Fiber)) *fiber.Fiber {
	f, err := fiber.New(p.get(), entry)
	if err != nil {
		panic(err)
	}
	return f
}

func (p *pool) put(r mm.Range) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, r)
}

func nothing(*fiber.Fiber) {}

// batch is how many are started before they are waited for.
const batch = 64

func BenchmarkStart(b *testing.B) {
	p := newPool(batch)
	for i := 0; i < b.N; i += batch {
		p.done.Add(batch)
		for range batch {
			p.fiber(nothing).Start()
		}
		p.done.Wait()
	}
}

func BenchmarkGo(b *testing.B) {
	var done sync.WaitGroup
	for i := 0; i < b.N; i += batch {
		done.Add(batch)
		for range batch {
			go done.Done()
		}
		done.Wait()
	}
}

func BenchmarkStartOne(b *testing.B) {
	p := newPool(1)
	for range b.N {
		p.done.Add(1)
		p.fiber(nothing).Start()
		p.done.Wait()
	}
}

func BenchmarkGoOne(b *testing.B) {
	var done sync.WaitGroup
	for range b.N {
		done.Add(1)
		go done.Done()
		done.Wait()
	}
}

func run(b *testing.B, entry func(*fiber.Fiber)) {
	p := newPool(1)
	n = b.N
	p.done.Add(1)
	f := p.fiber(entry)
	b.ResetTimer()
	f.Start()
	p.done.Wait()
}

var n int

func BenchmarkCall(b *testing.B) {
	run(b, func(f *fiber.Fiber) {
		for range n {
			f.Call(nothing)
		}
	})
}

func leaving(f *fiber.Fiber) {
	for range n {
		if err := f.Leave(); err != nil {
			panic(err)
		}
	}
}

func BenchmarkLeave(b *testing.B) {
	fiber.Hooks.Detached = func(f *fiber.Fiber) { f.Start() }
	run(b, leaving)
}

// BenchmarkHop leaves, becomes an image, gives its region up, is thawed there and goes
// on on another carrier.
func BenchmarkHop(b *testing.B) { hop(b, func() {}) }

// BenchmarkHopCold gives the memory back as well, so each arrival begins with a page
// fault.
func BenchmarkHopCold(b *testing.B) { hop(b, fiber.Trim) }

func hop(b *testing.B, trim func()) {
	var image []byte
	fiber.Hooks.Detached = func(f *fiber.Fiber) {
		image = f.AppendImage(image[:0])
		f.Depart()
		trim()
		f, err := fiber.Thaw(image)
		if err != nil {
			panic(err)
		}
		f.Start()
	}
	run(b, leaving)
}

// BenchmarkImage makes and thaws an image of a fiber that stays detached.
func BenchmarkImage(b *testing.B) {
	fs := hooked(b)
	n = 1
	start(1, leaving)
	f := <-fs.detached
	var image []byte
	var err error
	for b.Loop() {
		image = f.AppendImage(image[:0])
		f.Free()
		if f, err = fiber.Thaw(image); err != nil {
			b.Fatal(err)
		}
	}
	f.Start()
	(<-fs.ended).Free()
}

func BenchmarkPark(b *testing.B) {
	run(b, func(f *fiber.Fiber) {
		for range n {
			f.Unpark()
			f.Park()
		}
	})
}
