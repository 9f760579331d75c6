package migrate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestPatience has contexts that are cancelled in time, and some that are not.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p patience
		for round := range 3 {
			for i := range 10 {
				ctx, cancel := p.context(t.Context())
				start := time.Now()
				if i%2 == 0 {
					time.Sleep(transferBound - time.Second)
					if ctx.Err() != nil {
						t.Errorf("round %d: ended after %v", round, time.Since(start))
					}
					cancel()
				}
				<-ctx.Done()
				if took := time.Since(start); took > 2*transferBound {
					t.Errorf("round %d: ended after %v", round, took)
				}
				cancel()
			}
			time.Sleep(3 * transferBound)
			synctest.Wait()
			if p.running || len(p.young)+len(p.old) > 0 {
				t.Errorf("round %d: nothing is to be ended, and the timer runs: %+v", round, &p)
			}
		}
		parent, cancel := context.WithCancel(t.Context())
		ctx, done := p.context(parent)
		defer done()
		cancel()
		if ctx.Err() == nil {
			t.Error("it outlives its parent")
		}
	})
}
