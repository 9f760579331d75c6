package proclet

import (
	"sync"
	"testing"

	"nuos/proclet/internal/fiber"
)

// playground is a state with one of everything that threads wait with.
type playground struct {
	mu       Mutex
	mu2      Mutex
	rw       RWMutex
	cond     Cond
	cond2    Cond
	group    WaitGroup
	permits  Semaphore
	once     Once
	promise  Promise[String]
	promised Promise[int64]
	timer    Timer
	ticker   Ticker
	n, m     int64
	log      Slice[int64]
}

// Play runs a function that a test has prepared, as a method.
func (s *playground) Play(t *Thread, script int64) (struct{}, error) {
	scripts.mu.Lock()
	f := scripts.byID[script]
	delete(scripts.byID, script)
	scripts.mu.Unlock()
	f(t, s)
	return struct{}{}, nil
}

var scripts struct {
	mu   sync.Mutex
	last int64
	byID map[int64]func(*Thread, *playground)
}

// prepared returns what Play runs f for.
func prepared(f func(t *Thread, s *playground)) int64 {
	scripts.mu.Lock()
	defer scripts.mu.Unlock()
	if scripts.byID == nil {
		scripts.byID = map[int64]func(*Thread, *playground){}
	}
	scripts.last++
	scripts.byID[scripts.last] = f
	return scripts.last
}

// play runs f as a method of ref.
func play(th *Thread, ref Ref[playground], f func(t *Thread, s *playground)) error {
	_, err := Call(th, ref, (*playground).Play, prepared(f))
	return err
}

// ground is a playground on a machine of its own.
type ground struct {
	t   testing.TB
	th  *Thread
	ref Ref[playground]
	s   *playground // the state, seen from outside
	wg  sync.WaitGroup
}

// groundCapacity has room for thousands of threads, even frozen ones.
const groundCapacity = 16 << 20

func newGround(t testing.TB) *ground {
	_, rts := newSegment(t, 1)
	th := rts[0].Current()
	ref := mustNew[playground](t, th, Options{Capacity: groundCapacity})
	return &ground{t: t, th: th, ref: ref, s: (*playground)(rts[0].find(ref.id).state)}
}

// play runs f as a method and waits for it.
func (g *ground) play(f func(t *Thread, s *playground)) {
	g.t.Helper()
	if err := play(g.th, g.ref, f); err != nil {
		g.t.Error(err)
	}
}

// start runs f as a method on a thread of its own; join waits for all of them.
func (g *ground) start(f func(t *Thread, s *playground)) {
	g.wg.Go(func() {
		if err := play(g.th, g.ref, f); err != nil {
			g.t.Error(err)
		}
	})
}

func (g *ground) join() { g.wg.Wait() }

// queued waits until n threads are in the queue.
func (g *ground) queued(l *latch, q *waitQueue, n int) {
	g.t.Helper()
	waitFor(g.t, "threads to queue up", func() bool { return queueLen(l, q) == n })
}

func queueLen(l *latch, q *waitQueue) (n int) {
	l.lock()
	defer l.unlock()
	for w := q.first; w != nil; w = w.next {
		n++
	}
	return n
}

// needMoves skips a test of threads that move in programs whose threads cannot.
func needMoves(t testing.TB) {
	t.Helper()
	if !fiber.Movable {
		t.Skip("threads are goroutines under the race detector, which cannot move")
	}
}
