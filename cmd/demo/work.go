package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/qemu"
	"nuos/rack"
)

// Moves of proclets of these sizes in bytes count.
const (
	smallest = 64 << 10
	largest  = 1 << 20
)

// result is what happened while proclets moved under load.
type result struct {
	took      time.Duration
	benchmark int64 // requests of redis-benchmark

	mu          sync.Mutex
	made        int // of proclets of 64 KiB to 1 MiB
	others      int // smaller or larger
	notMade     int
	bytes       uint64
	least, most uint64                  // bytes of a move
	pauses      *hdrhistogram.Histogram // microseconds
	problems    []string
}

// work runs the clients, redis-benchmark and the shuffler together until enough
// has been done.
func (d *demo) work(ctx context.Context) (*result, error) {
	observer, err := d.observe()
	if err != nil {
		return nil, err
	}
	defer observer.Close()
	r := &result{pauses: hdrhistogram.New(1, int64(time.Hour/time.Microsecond), 3)}
	ctx, stop := context.WithTimeoutCause(ctx, d.within, errors.New("time is up"))
	defer stop()
	began := time.Now()

	var all sync.WaitGroup
	failed := make(chan error, 2)
	all.Go(func() { d.load.Run(ctx) })
	all.Go(func() {
		s := migrate.Shuffler{Rack: observer, Every: d.every, Seed: d.seed, Done: r.moved}
		if err := s.Run(ctx); err != nil {
			failed <- fmt.Errorf("moving proclets: %w", err)
		}
	})
	var done atomic.Int64
	all.Go(func() {
		for ctx.Err() == nil {
			if err := d.benchmark(ctx, &done); err != nil {
				failed <- err
				return
			}
		}
	})
	err = d.watch(ctx, r, &done, began, failed)
	stop()
	all.Wait()
	r.took, r.benchmark = time.Since(began), done.Load()
	return r, err
}

// watch shows progress until the targets are met, time is up or something failed.
func (d *demo) watch(ctx context.Context, r *result, done *atomic.Int64, began time.Time, failed chan error) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	// redis-benchmark counts when a round has ended, so the rate is that of the
	// last ten seconds.
	last := make([]int64, 1, 11)
	for {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			if cause := context.Cause(ctx); errors.Is(cause, context.Canceled) {
				return cause
			}
			return nil
		case <-tick.C:
		}
		s := d.load.Interval()
		requests := s.Requests + done.Load()
		r.mu.Lock()
		made, bytes := r.made, r.bytes
		r.mu.Unlock()
		rate := (requests - last[0]) / int64(len(last))
		if last = append(last, requests); len(last) > 10 {
			last = append(last[:0], last[1:]...)
		}
		d.show("%6d requests/s  p99 %-8v %4d migrations  %5d MiB moved  %7d requests  %d errors", rate,
			s.P99.Round(100*time.Microsecond), made, bytes>>20, requests, s.Errors)
		if requests >= d.requests && made >= d.migrations && time.Since(began) >= d.atLeast {
			return nil
		}
	}
}

// rounds are what redis-benchmark is run with in turn. An MSET writes ten keys, so
// there are fewer of them.
var rounds = []struct {
	tests    string
	kinds, n int64
}{{"set,get,incr", 3, 2500}, {"mset", 1, 500}}

// benchmark runs redis-benchmark for each of the rounds and adds up its requests.
// It ends with an error at the first error reply.
func (d *demo) benchmark(ctx context.Context, done *atomic.Int64) error {
	host, port, err := net.SplitHostPort(d.load.Addr)
	if err != nil {
		return err
	}
	for _, round := range rounds {
		cmd := exec.CommandContext(context.WithoutCancel(ctx), "redis-benchmark", "-h", host, "-p", port, "--csv",
			"-t", round.tests, "-n", strconv.FormatInt(round.n, 10), "-c", "20", "-r", "100000", "-P", "8")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("redis-benchmark: %w: %s", err, stderr.String())
		}
		rows, err := csv.NewReader(strings.NewReader(string(out))).ReadAll()
		if err != nil || int64(len(rows)) != 1+round.kinds {
			return fmt.Errorf("redis-benchmark printed %q (%v)", out, err)
		}
		done.Add(round.kinds * round.n)
	}
	return nil
}

// moved is told of every move that the shuffler asked for.
func (r *result) moved(report migrate.Report, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil && (report.Bytes < smallest || report.Bytes > largest):
		r.others++
	case err == nil:
		r.made++
		r.bytes += report.Bytes
		r.most = max(r.most, report.Bytes)
		if r.least == 0 || report.Bytes < r.least {
			r.least = report.Bytes
		}
		r.pauses.RecordValue(report.Pause.Microseconds())
	case errors.Is(err, proclet.ErrBusy), errors.Is(err, proclet.ErrNoProclet), errors.Is(err, migrate.ErrRefused):
		r.notMade++ // it stayed where it was
	default:
		r.problems = append(r.problems, err.Error())
	}
}

// observe joins the rack as an observer.
func (d *demo) observe() (*rack.Rack, error) {
	running, err := qemu.Attach(d.rack.Dir)
	if err != nil {
		return nil, err
	}
	return running.Observe()
}
