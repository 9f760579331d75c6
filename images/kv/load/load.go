// Package load works on a kv rack as many clients do, and knows afterwards
// whether every answer was right.
//
// Each key of the filled key space has one writer at a time, which writes version after
// version and remembers the highest that was acknowledged. A reader notes what
// was acknowledged before it asks and what had been sent when the answer came:
// a version outside these bounds, a missing key or a single wrong byte is
// counted. Counters are incremented by everyone; in the end each must be worth
// exactly the acknowledged increments.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/redis/go-redis/v9"
)

// Load is a key space and the clients that work on it. Set the fields, then
// call Fill, Run and Verify in turn.
type Load struct {
	Addr     string
	Seed     uint64
	Keys     int // keys with a versioned value
	Fresh    int // keys that RunAt may add to them
	Size     int // bytes of each value
	Counters int
	Workers  int // clients; each has a connection
	Depth    int // commands in a pipeline

	keys     []key
	fresh    atomic.Int64 // keys that RunAt has added
	counters []counter
	client   *redis.Client
	tally
}

type key struct{ sent, acked atomic.Uint64 }

type counter struct{ sent, acked atomic.Int64 }

// tally counts what happened; safe for concurrent use.
type tally struct {
	requests, errors, lost, wrong atomic.Int64

	mu      sync.Mutex
	latency *hdrhistogram.Histogram // microseconds of a pipeline since the last Interval
	total   *hdrhistogram.Histogram // and of all
	first   []string                // the first few things that went wrong
}

// Stats is a sum of what happened so far.
type Stats struct {
	Requests, Errors, Lost, Wrong int64
	P50, P99                      time.Duration // of a pipeline's round trip
}

const slowest = int64(10 * time.Minute / time.Microsecond)

// Open prepares the clients. Nothing is retried behind our back: a retry would
// hide an error and could count an increment twice.
func (l *Load) Open() {
	l.keys = make([]key, l.Keys+l.Fresh)
	l.counters = make([]counter, l.Counters)
	l.latency = hdrhistogram.New(1, slowest, 3)
	l.total = hdrhistogram.New(1, slowest, 3)
	l.client = redis.NewClient(&redis.Options{
		Addr: l.Addr, MaxRetries: -1, PoolSize: l.Workers + 1,
		DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute, PoolTimeout: time.Minute,
	})
}

// Close ends the connections.
func (l *Load) Close() error { return l.client.Close() }

// Ready returns when the rack answers.
func (l *Load) Ready(ctx context.Context) error {
	for {
		err := l.client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the rack does not answer on %s: %w", l.Addr, err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Fill writes the first version of every key.
func (l *Load) Fill(ctx context.Context, progress func(done int)) error {
	const batch = 16
	var done atomic.Int64
	return l.everyone(ctx, func(ctx context.Context, w int) error {
		for at := w * batch; at < l.Keys; at += l.Workers * batch {
			pipe := l.client.Pipeline()
			end := min(at+batch, l.Keys)
			for i := at; i < end; i++ {
				l.keys[i].sent.Store(1)
				pipe.Set(ctx, keyName(i), l.value(i, 1), 0)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				return fmt.Errorf("loading: %w", err)
			}
			for i := at; i < end; i++ {
				l.keys[i].acked.Store(1)
			}
			progress(int(done.Add(int64(end - at))))
		}
		return nil
	})
}

// Run works until ctx is done. What goes wrong is counted, not returned.
func (l *Load) Run(ctx context.Context) {
	l.everyone(context.WithoutCancel(ctx), func(within context.Context, w int) error {
		random := rand.New(rand.NewPCG(l.Seed, uint64(w)))
		for ctx.Err() == nil {
			l.pipeline(within, w, random)
		}
		return nil
	})
}

// Verify reads everything back.
func (l *Load) Verify(ctx context.Context) error {
	err := l.everyone(ctx, func(ctx context.Context, w int) error {
		for i := w; i < len(l.keys); i += l.Workers {
			low := l.keys[i].acked.Load()
			if low == 0 {
				continue // it was never written, or nobody knows
			}
			got, err := l.client.Get(ctx, keyName(i)).Bytes()
			if err != nil && !errors.Is(err, redis.Nil) {
				return fmt.Errorf("reading %s back: %w", keyName(i), err)
			}
			l.judge(i, low, got, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range l.counters {
		got, err := l.client.Get(ctx, counterName(i)).Int64()
		if err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("reading %s back: %w", counterName(i), err)
		}
		low, high := l.counters[i].acked.Load(), l.counters[i].sent.Load()
		switch {
		case got < low:
			l.note(&l.lost, "%s is %d, but %d increments were acknowledged", counterName(i), got, low)
		case got > high:
			l.note(&l.wrong, "%s is %d, but only %d increments were sent", counterName(i), got, high)
		}
	}
	return nil
}

// Stats sums up all since Open.
func (l *Load) Stats() Stats { return l.stats(l.total) }

// Interval is Stats with the latencies since the last Interval.
func (l *Load) Interval() Stats {
	s := l.stats(l.latency)
	l.mu.Lock()
	l.latency.Reset()
	l.mu.Unlock()
	return s
}

// Failures tells the first few things that went wrong.
func (l *Load) Failures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.first...)
}

func (l *Load) stats(h *hdrhistogram.Histogram) Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	quantile := func(q float64) time.Duration { return time.Duration(h.ValueAtQuantile(q)) * time.Microsecond }
	return Stats{l.requests.Load(), l.errors.Load(), l.lost.Load(), l.wrong.Load(), quantile(50), quantile(99)}
}

// everyone runs f once for each worker and returns the first error.
func (l *Load) everyone(ctx context.Context, f func(ctx context.Context, worker int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for w := range l.Workers {
		workers.Go(func() {
			if err := f(ctx, w); err != nil {
				cancel(err)
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}
