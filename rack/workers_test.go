package rack

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestWorkers has many handlers run at once, then as many again. None waits for another, few
// goroutines are kept, and none when it is over.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w workers
		w.init()
		var ran atomic.Int32
		for range 2 {
			ran.Store(0)
			release := make(chan struct{})
			for i := range 3 * maxIdle {
				w.start(func(q Request) {
					if q.From == MachineID(i) {
						ran.Add(1)
					}
					<-release
				}, Request{From: MachineID(i)})
			}
			synctest.Wait()
			if n := ran.Load(); n != 3*maxIdle {
				t.Errorf("%d of %d handlers run", n, 3*maxIdle)
			}
			close(release)
			synctest.Wait()
			if n := w.idle.Load(); n != maxIdle {
				t.Errorf("%d goroutines wait; want %d", n, maxIdle)
			}
		}
		close(w.over) // and the bubble ends when all have
	})
}
