package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Answer is what became of one request of RunAt.
type Answer struct {
	Due  time.Time     // when it was to be sent
	Took time.Duration // from then until it was answered
}

// RunAt works until ctx is done at a rate of requests a second that does not depend on how they are
// answered, as that of many people does not. When requests are due is random, as if each came by
// itself; a request that is sent late, because all Workers still wait for answers, has taken that long
// too. Half are reads, the others writes, increments and, as long as there are some left, writes of
// fresh keys. answered is called for each, by several goroutines. What goes wrong
// is counted, not returned.
func (l *Load) RunAt(ctx context.Context, rate float64, answered func(Answer)) {
	due := make(chan time.Time, 1<<16)
	var workers sync.WaitGroup
	for w := range l.Workers {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(l.Seed, uint64(w)))
			for at := range due {
				l.one(context.WithoutCancel(ctx), w, random)
				took := time.Since(at)
				l.record(1, took)
				answered(Answer{at, took})
			}
		})
	}
	random := rand.New(rand.NewPCG(l.Seed, uint64(l.Workers)))
	for next := time.Now(); ctx.Err() == nil; next = next.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second))) {
		if wait := time.Until(next); wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		if ctx.Err() == nil {
			due <- next
		}
	}
	close(due)
	workers.Wait()
}

// one sends one request and judges the answer.
func (l *Load) one(ctx context.Context, worker int, random *rand.Rand) {
	pipe := l.client.Pipeline()
	var judge func()
	switch n := random.IntN(16); {
	case n < 8:
		judge = l.read(ctx, pipe, random.IntN(l.Keys))
	case n < 11:
		judge = l.write(ctx, pipe, random.IntN((l.Keys-worker-1)/l.Workers+1)*l.Workers+worker)
	case n < 14 && l.fresh.Load() < int64(l.Fresh):
		i := l.fresh.Add(1) - 1
		if i >= int64(l.Fresh) {
			return
		}
		judge = l.write(ctx, pipe, l.Keys+int(i))
	default:
		judge = l.increment(ctx, pipe, random.IntN(l.Counters))
	}
	pipe.Exec(ctx) // the command has its own error
	judge()
}
