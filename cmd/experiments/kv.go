package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"nuos/images/kv/load"
	"nuos/qemu"
)

const (
	kvApp  = "./images/kv"
	kvPort = 6379
)

// kv is images/kv under a load that does not wait.
type kv struct {
	load *load.Load
	rate float64
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	began   time.Time
	answers []load.Answer
}

// startKV fills the store and finds out how much it can do.
func startKV(ctx context.Context, e *experiments, s *scenario, r *qemu.Rack) (app, error) {
	if err := r.WaitPort(ctx, kvPort); err != nil {
		return nil, err
	}
	size := s.size()
	k := &kv{done: make(chan struct{}), load: &load.Load{
		Addr: r.Listen()[0], Seed: e.seed, Keys: size.keys, Fresh: size.fresh, Size: size.value, Counters: 64, Workers: 32, Depth: 1,
	}}
	k.load.Open()
	if err := k.load.Fill(ctx, func(int) {}); err != nil {
		return nil, err
	}
	// How much it can do is found out once, so that all variants get the same load.
	if k.rate = e.rates[s.name]; k.rate == 0 {
		trial, stop := context.WithTimeout(ctx, s.phase/2)
		defer stop()
		before, began := k.load.Stats().Requests, time.Now()
		k.load.Run(trial)
		k.rate = s.scale * float64(k.load.Stats().Requests-before) / time.Since(began).Seconds()
		e.rates[s.name] = k.rate
	}
	return k, nil
}

func (k *kv) begin(ctx context.Context) error {
	ctx, k.stop = context.WithCancel(ctx)
	k.began = time.Now()
	go func() {
		defer close(k.done)
		k.load.RunAt(ctx, k.rate, func(a load.Answer) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.answers = append(k.answers, a)
		})
	}()
	return nil
}

func (k *kv) end(ctx context.Context, into *run) error {
	k.stop()
	<-k.done
	defer k.load.Close()
	if err := k.load.Verify(ctx); err != nil {
		return err
	}
	st := k.load.Stats()
	into.unit, into.rate = "requests", k.rate
	into.failures, into.first = st.Errors+st.Lost+st.Wrong, k.load.Failures()
	into.windows = windowsOf(k.began, k.answers)
	into.answers = k.answers
	into.began = k.began
	if len(into.windows) == 0 {
		return fmt.Errorf("not one request was answered; the first failures: %q", into.first)
	}
	return nil
}

// windowsOf sorts answers by when they were due.
func windowsOf(began time.Time, answers []load.Answer) (all []sample) {
	slices.SortFunc(answers, func(a, b load.Answer) int { return a.Due.Compare(b.Due) })
	for at := time.Duration(0); len(answers) > 0; at += window {
		n := 0
		for n < len(answers) && answers[n].Due.Sub(began) < at+window {
			n++
		}
		s := sample{at: at, throughput: float64(n) / window.Seconds()}
		s.p50, s.p99, s.p999 = quantiles(answers[:n])
		all = append(all, s)
		answers = answers[n:]
	}
	return all
}

// quantiles of the times that answers took; 0 of none.
func quantiles(answers []load.Answer) (p50, p99, p999 time.Duration) {
	if len(answers) == 0 {
		return 0, 0, 0
	}
	took := make([]time.Duration, len(answers))
	for i, a := range answers {
		took[i] = a.Took
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[min(int(q*float64(len(took))), len(took)-1)] }
	return at(.5), at(.99), at(.999)
}
