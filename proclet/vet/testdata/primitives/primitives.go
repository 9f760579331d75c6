// Package primitives has methods that wait for what cannot move, and functions
// that may.
package primitives

import (
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"nuos/proclet"
)

var (
	mu    sync.Mutex
	ready = make(chan bool)
	hits  atomic.Int64
	last  atomic.Value
)

type S struct{ n int }

func (s *S) Goroutine(t *proclet.Thread, a int) (int, error) {
	go s.count() // want `go statement in a proclet: a goroutine stays on this machine when the proclet moves; start a thread with t\.Go`
	return 0, nil
}

func (s *S) count() {}

func (s *S) Locks(t *proclet.Thread, a int) (int, error) {
	mu.Lock() // want `sync\.Mutex in a proclet: use a proclet\.Mutex in the proclet's state`
	defer mu.Unlock()
	var wg sync.WaitGroup // want `sync\.WaitGroup in a proclet: use a proclet\.WaitGroup in the proclet's state`
	wg.Wait()
	hits.Add(1)
	last.Store(1)
	return 0, nil
}

func (s *S) Channels(t *proclet.Thread, a int) (int, error) {
	<-ready // want `channel in a proclet: what waits for it cannot move`
	ready <- true
	return 0, nil
}

func (s *S) Makes(t *proclet.Thread, a int) (int, error) {
	c := make(chan int, 1) // want `channel in a proclet`
	close(c)
	return 0, nil
}

func (s *S) Ranges(t *proclet.Thread, a int) (int, error) {
	for range ready { // want `channel in a proclet`
	}
	return 0, nil
}

func (s *S) Selects(t *proclet.Thread, a int) (int, error) {
	select { // want `channel in a proclet`
	default:
	}
	return 0, nil
}

func (s *S) Sleeps(t *proclet.Thread, a int) (int, error) {
	time.Sleep(time.Second)          // want `time\.Sleep in a proclet: use t\.Sleep`
	time.AfterFunc(time.Second, nil) // want `time\.AfterFunc in a proclet: use a proclet\.Timer`
	time.NewTicker(time.Second)      // want `time\.NewTicker in a proclet: use a proclet\.Ticker`
	_ = time.Now()
	return 0, nil
}

func (s *S) Runtime(t *proclet.Thread, seq int) (int, error) {
	runtime.LockOSThread() // want `runtime\.LockOSThread in a proclet: a proclet that needs an operating system thread must be made with proclet\.Options\{Pinned: true\}`
	if seq > 0 {
		runtime.Goexit() // want `runtime\.Goexit in a proclet: return, or panic with a value`
	}
	next, stop := iter.Pull(numbers) // want `iter\.Pull in a proclet: range over the iterator`
	defer stop()
	n, _ := next()
	return n, nil
}

func numbers(yield func(int) bool) {}

// Calls hands its Thread to helper, which therefore runs in the proclet.
func (s *S) Calls(t *proclet.Thread, a int) (int, error) {
	func() {
		helper(t)
	}()
	other()
	return 0, nil
}

func helper(t *proclet.Thread) {
	time.Sleep(1) // want `time\.Sleep in a proclet: use t\.Sleep`
}

func other() { time.Sleep(1) }

// Server is no state type: it runs on goroutines.
type Server struct {
	refs []proclet.Ref[S]
	done chan bool
}

func (s *Server) Serve(t *proclet.Thread) {
	go proclet.Call(t, s.refs[0], (*S).Calls, 1)
	<-s.done
}

// Elsewhere is a state type: a Ref to it is all that tells.
type Elsewhere struct{}

var _ proclet.Ref[Elsewhere]

func (*Elsewhere) Wait(t *proclet.Thread, a int) (int, error) {
	time.Sleep(1) // want `time\.Sleep in a proclet`
	return 0, nil
}

func start(t *proclet.Thread, r proclet.Ref[S]) {
	proclet.Call(t, r, func(s *S, t *proclet.Thread, n int) (int, error) {
		time.Sleep(1) // want `time\.Sleep in a proclet`
		return s.n, nil
	}, 1)
}
