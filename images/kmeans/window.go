package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"nuos/rack"
)

// done counts the distances between points and centroids that have been computed on
// this machine, whichever workers were there.
var done atomic.Int64

// progress is how many iterations are over.
var progress atomic.Int64

// serviceDone asks a machine for its count.
const serviceDone = rack.ServiceUser

func answerDone(q rack.Request) { q.Reply(binary.LittleEndian.AppendUint64(nil, uint64(done.Load()))) }

// watch prints the throughput of the rack in each window of time, in distances per
// second, until the function that it returns is called:
//
//	window at=1.230 length=0.0101 iterations=17 throughput=1.234e+08
//
// at is when it ends, in seconds, and length how long it was: longer than asked for if
// machines take their time to answer.
func watch(r *rack.Rack, window time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		counts := map[rack.MachineID]int64{}
		total(ctx, r, counts)
		start := time.Now()
		last := start
		tick := time.NewTicker(window)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			n := total(ctx, r, counts)
			now := time.Now()
			length := now.Sub(last).Seconds()
			last = now
			if ctx.Err() == nil {
				fmt.Printf("window at=%.3f length=%.4f iterations=%d throughput=%.4g\n", now.Sub(start).Seconds(), length, progress.Load(), float64(n)/length)
			}
		}
	})
	return func() {
		cancel()
		ended.Wait()
	}
}

// total asks all machines for their counts and returns by how much they have grown since
// those in counts, which it updates. What a machine that does not answer has done is
// counted when it does.
func total(ctx context.Context, r *rack.Rack, counts map[rack.MachineID]int64) (n int64) {
	members := r.Members()
	answers := make([][]byte, len(members))
	var all sync.WaitGroup
	for i, m := range members {
		all.Go(func() { answers[i], _ = r.Call(ctx, m.ID, serviceDone, nil) })
	}
	all.Wait()
	for i, m := range members {
		if len(answers[i]) == 8 {
			count := int64(binary.LittleEndian.Uint64(answers[i]))
			n += count - counts[m.ID]
			counts[m.ID] = count
		}
	}
	return n
}
