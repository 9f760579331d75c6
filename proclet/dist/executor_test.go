package dist

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// processors are those of the machines of a test. They are not those of this
// computer, which all machines share: each has two, and as many are busy as tasks
// run there, and what the test says.
type processors struct {
	mu     sync.Mutex
	tasks  map[rack.MachineID]int
	others map[rack.MachineID]int
	most   map[rack.MachineID]int // tasks at one time
}

var simulated atomic.Pointer[processors]

func simulate(t testing.TB) *processors {
	p := &processors{tasks: map[rack.MachineID]int{}, others: map[rack.MachineID]int{}, most: map[rack.MachineID]int{}}
	simulated.Store(p)
	measured := sampleLoad
	sampleLoad = func(m rack.MachineID) load {
		p.mu.Lock()
		defer p.mu.Unlock()
		return load{2, p.tasks[m] + p.others[m]}
	}
	t.Cleanup(func() { sampleLoad = measured })
	return p
}

func (p *processors) enter(m rack.MachineID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks[m]++
	p.most[m] = max(p.most[m], p.tasks[m])
}

func (p *processors) leave(m rack.MachineID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks[m]--
}

func (p *processors) occupy(m rack.MachineID, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.others[m] = n
}

// square is a task: it takes some time on a machine, and adds up squares.
func square(t *proclet.Thread, i int, scale int64) (int64, error) {
	m := t.Machine()
	simulated.Load().enter(m)
	defer simulated.Load().leave(m)
	t.Sleep(200 * time.Microsecond)
	return int64(i) * int64(i) * scale, nil
}

func plus(a, b int64) int64 { return a + b }

func squares(n int) Job[int64, int64] {
	return Job[int64, int64]{Tasks: n, Run: square, Arg: 3, Combine: plus}
}

func sumOfSquares(n int) int64 { return 3 * int64(n-1) * int64(n) * int64(2*n-1) / 6 }

func TestExecutorUsesFreeProcessors(t *testing.T) {
	w := join(t, 3)
	p := simulate(t)
	before := w.proclets()
	const n = 3000
	got, err := Execute(w.thread(0), squares(n), ExecutorOptions{})
	if err != nil || got != sumOfSquares(n) {
		t.Fatalf("Execute = %d, %v, want %d", got, err, sumOfSquares(n))
	}
	for _, rt := range w.runtimes {
		if m := rt.Current().Machine(); p.most[m] < 2 {
			t.Errorf("machine %d ran %d tasks at a time, want 2 or more", m, p.most[m])
		}
	}
	waitFor(t, "the executor's proclets to end", func() bool { return w.proclets() == before })
}

// Workers leave processors that others want, and come back.
func TestExecutorShrinksAndGrows(t *testing.T) {
	w := join(t, 3)
	p := simulate(t)
	a, b, c := w.runtimes[0].Current().Machine(), w.runtimes[1].Current().Machine(), w.runtimes[2].Current().Machine()
	p.occupy(b, 2)
	const n = 20000
	e, err := Start(w.thread(0), squares(n), ExecutorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		got, err := e.Wait(w.thread(0))
		if err == nil && got != sumOfSquares(n) {
			t.Errorf("Wait = %d, want %d", got, sumOfSquares(n))
		}
		result <- err
	}()
	workers := func(m rack.MachineID) int {
		now, err := e.Progress(w.thread(1))
		if err != nil {
			t.Fatal(err)
		}
		if now.Done == now.Tasks {
			t.Fatal("the job was over before the test")
		}
		for _, at := range now.Workers {
			if at.Machine == m {
				return at.Workers
			}
		}
		return 0
	}
	waitFor(t, "workers on the two free machines", func() bool { return workers(a) >= 2 && workers(c) >= 2 })
	if n := workers(b); n > 1 { // the first worker may be anywhere
		t.Errorf("%d workers on a machine that is busy", n)
	}
	p.occupy(a, 2)
	p.occupy(c, 2)
	waitFor(t, "workers to end", func() bool { return workers(a)+workers(b)+workers(c) <= 1 })
	p.occupy(b, 0)
	waitFor(t, "workers on the machine that has become free", func() bool { return workers(b) >= 2 })
	p.occupy(a, 0)
	p.occupy(c, 0)
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	now, err := e.Progress(w.thread(2))
	if err != nil || now.Done != n || now.Dismissed == 0 {
		t.Errorf("%+v, %v", now, err)
	}
	if got, err := e.Wait(w.thread(2)); err != nil || got != sumOfSquares(n) {
		t.Errorf("Wait, again = %d, %v", got, err)
	}
	if err := e.Release(w.thread(0)); err != nil {
		t.Error(err)
	}
}

// Workers and all else are moved about.
func TestExecutorMoves(t *testing.T) {
	random := seeded(t)
	w := join(t, 3)
	simulate(t)
	stop := w.shuffle(t, rand.New(rand.NewPCG(random.Uint64(), 0)))
	const n = 2000
	got, err := Execute(w.thread(1), squares(n), ExecutorOptions{})
	moves := stop()
	if err != nil || got != sumOfSquares(n) {
		t.Fatalf("Execute = %d, %v, want %d", got, err, sumOfSquares(n))
	}
	t.Logf("%d moves", moves)
}

func TestExecutorFails(t *testing.T) {
	w := join(t, 2)
	simulate(t)
	before := w.proclets()
	fails := func(t *proclet.Thread, i int, _ int64) (int64, error) {
		if i == 300 {
			return 0, proclet.ErrNoName
		}
		return square(t, i, 1)
	}
	if _, err := Execute(w.thread(0), Job[int64, int64]{Tasks: 1000, Run: fails, Combine: plus}, ExecutorOptions{}); !errors.Is(err, proclet.ErrNoName) {
		t.Errorf("a job with a task that fails = %v", err)
	}
	panics := func(t *proclet.Thread, i int, _ int64) (int64, error) {
		if i == 200 {
			panic("oh")
		}
		return square(t, i, 1)
	}
	_, err := Execute(w.thread(0), Job[int64, int64]{Tasks: 1000, Run: panics, Combine: plus}, ExecutorOptions{})
	if p := (*proclet.PanicError)(nil); !errors.As(err, &p) || p.Value != "oh" {
		t.Errorf("a job with a task that panics = %v", err)
	}
	if got, err := Execute(w.thread(0), squares(0), ExecutorOptions{}); got != 0 || err != nil {
		t.Errorf("a job without tasks = %d, %v", got, err)
	}
	e, err := Start(w.thread(0), squares(1_000_000), ExecutorOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancelled := make(chan error, 1)
	go func() {
		_, err := e.Wait(w.thread(0))
		cancelled <- err
	}()
	waitFor(t, "some tasks to be done", func() bool {
		now, err := e.Progress(w.thread(1))
		return err != nil || now.Done > 100
	})
	if err := e.Cancel(w.thread(1)); err != nil {
		t.Fatal(err)
	}
	if err := <-cancelled; !errors.Is(err, ErrCancelled) {
		t.Errorf("Wait for a cancelled job = %v", err)
	}
	e.Release(w.thread(0))
	waitFor(t, "the executor's proclets to end", func() bool { return w.proclets() == before })
	captured := 1
	if _, err := Start(w.thread(0), Job[int64, int64]{Run: func(*proclet.Thread, int, int64) (int64, error) { return int64(captured), nil }, Combine: plus}, ExecutorOptions{}); !errors.Is(err, proclet.ErrMethod) {
		t.Errorf("a job that captures a variable = %v", err)
	}
}

// What is really measured is between nothing and everything.
func TestSampleLoad(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	var spinning atomic.Int32
	for range 8 {
		go func() {
			spinning.Add(1)
			for {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	waitFor(t, "goroutines that spin to be seen", func() bool {
		l := sampleLoad(1)
		return spinning.Load() == 8 && l.processors > 0 && l.busy >= 7 && l.spare() == l.processors-l.busy
	})
}
