package balance

import (
	"math"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
	"nuos/rack/placement"
)

// How often a machine looks at itself: when something runs, and at least. To wake a processor that has nothing to do
// takes a hundred times as long as a look.
const (
	lookBusy = time.Millisecond
	lookIdle = 40 * time.Millisecond
)

// look looks at this machine until done is closed, and has done what follows.
func (b *Balancer) look(done <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for pause := lookBusy; ; timer.Reset(pause) {
		select {
		case <-done:
			return
		case <-timer.C:
		}
		x := b.sense()
		// What nobody uses does not get short all at once: memory does not fall by a quarter in lookIdle.
		if x.Running+x.Waiting == 0 && x.Free > x.Total/4+2*b.policy.Watermark(x.Total) {
			pause = min(4*pause, lookIdle)
		} else {
			pause = lookBusy
		}
	}
}

// sense takes a sample and begins what follows from it.
func (b *Balancer) sense() placement.Sample {
	b.proclets.LookAtThreads()
	x := b.sample()
	x.At = b.now()
	draining := b.reports.draining.Load()
	b.mu.Lock()
	changes := b.sensor.Add(x)
	st := b.sensor.State()
	kind, ok := placement.Kind(0), false
	if !b.taking(x.At) {
		kind, ok = b.source.Next(x.At, st, draining)
	}
	b.mu.Unlock()
	for _, c := range changes {
		b.events.add("pressure", "%s", c)
	}
	if b.reports.due(x.At, st, &b.policy) {
		go b.report(st)
	}
	if ok {
		go b.relieve(kind, st)
	}
	return x
}

// sampler returns what samples a machine. It may be used concurrently.
func sampler(r *rack.Rack, rt *proclet.Runtime) func() placement.Sample {
	var mu sync.Mutex
	s := []metrics.Sample{
		{Name: "/sched/gomaxprocs:threads"},
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/runnable:goroutines"},
	}
	return func() placement.Sample {
		mu.Lock()
		defer mu.Unlock()
		metrics.Read(s)
		processors, running, waiting := int(s[0].Value.Uint64()), int(s[1].Value.Uint64()), int(s[2].Value.Uint64())
		frames := mm.Frames()
		return sampleOf(frames, processors, running, waiting, r.Polling(), rt.Busy())
	}
}

// sampleOf is the sample of a machine of which so many goroutines run, this one included, and wait, some of
// them only to poll.
func sampleOf(frames mm.Usage, processors, running, waiting, polling int, busy float64) placement.Sample {
	asked := max(running+waiting-polling-1, 0)
	waiting = max(waiting-polling, 0)
	return placement.Sample{
		Free: frames.Free * mm.PageSize, Total: frames.Total * mm.PageSize,
		Processors: processors, Running: asked - min(waiting, asked), Waiting: waiting, Busy: busy,
	}
}

// reports decides when the leader is to hear of this machine.
type reports struct {
	draining atomic.Bool
	underway atomic.Bool

	// Of the goroutine that looks.
	at   time.Duration
	last placement.State
	told bool
}

// A report is sent when something has changed, but not more often than reportSoonest, and after reportLatest
// in any case.
const (
	reportSoonest = 10 * time.Millisecond
	reportLatest  = 400 * time.Millisecond
)

func (r *reports) due(now time.Duration, st placement.State, p *placement.Policy) bool {
	since := now - r.at
	if r.told && since < reportSoonest || r.underway.Load() {
		return false
	}
	l := &r.last
	changed := st.Memory != l.Memory || st.Processor != l.Processor ||
		math.Abs(float64(st.Free)-float64(l.Free)) > float64(st.Total)/128 ||
		math.Abs(st.Load-l.Load) > p.Slack || math.Abs(st.Peak-l.Peak) > p.Slack
	if r.told && !changed && since < reportLatest {
		return false
	}
	r.at, r.last, r.told = now, st, true
	return r.underway.CompareAndSwap(false, true)
}

// report tells the leader of this machine.
func (b *Balancer) report(st placement.State) {
	defer b.reports.underway.Store(false)
	b.reports.draining.Store(b.net.Self().Draining)
	b.tell(message{Op: opReport, State: st, Draining: b.reports.draining.Load()}, &struct{}{})
}
