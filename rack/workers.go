package rack

import "sync/atomic"

// workers are the goroutines that run handlers. One that has done so waits for the next
// request, because a new one has a small stack, which grows, by being copied, when it
// calls what handlers call: that takes longer than the way of a small request.
type workers struct {
	next chan work     // to who waits
	over chan struct{} // closed when there will be nothing to do any more
	idle atomic.Int32
}

type work struct {
	serve   func(Request)
	request Request
}

// maxIdle is how many wait, whatever the load was.
const maxIdle = 16

func (w *workers) init() { w.next, w.over = make(chan work), make(chan struct{}) }

// start has a handler run. It does not wait.
func (w *workers) start(serve func(Request), q Request) {
	select {
	case w.next <- work{serve, q}:
	default:
		go w.run(work{serve, q})
	}
}

func (w *workers) run(do work) {
	for {
		do.serve(do.request)
		do = work{} // nothing is kept that nobody else has
		if w.idle.Add(1) > maxIdle {
			w.idle.Add(-1)
			return
		}
		select {
		case do = <-w.next:
			w.idle.Add(-1)
		case <-w.over:
			return
		}
	}
}
