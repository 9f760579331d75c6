package main

import (
	"slices"
	"time"

	"nuos/images/kv/load"
)

// phase is a part of a run.
type phase int

const (
	before phase = iota
	during
	after
)

// figures are what a run says.
type figures struct {
	throughput     [3]float64 // by phase
	p50, p99, p999 [3]time.Duration
	worst          [3]time.Duration // the highest p99.9 of a window
	disturbed      time.Duration    // from the first window that was, since the stress began, to the last
}

// in returns the windows of a phase.
func (r *run) in(p phase) (part []sample) {
	long := r.scenario.phase
	for _, s := range r.windows {
		if s.at >= time.Duration(p)*long && s.at < time.Duration(p+1)*long {
			part = append(part, s)
		}
	}
	return part
}

// figures works out the figures.
func (r *run) figures() (f figures) {
	for p := before; p <= after; p++ {
		part := r.in(p)
		for _, s := range part {
			f.throughput[p] += s.throughput / float64(len(part))
			f.worst[p] = max(f.worst[p], s.p999)
		}
		var answers []load.Answer
		for _, a := range r.answers {
			if at := a.Due.Sub(r.began); at >= time.Duration(p)*r.scenario.phase && at < time.Duration(p+1)*r.scenario.phase {
				answers = append(answers, a)
			}
		}
		f.p50[p], f.p99[p], f.p999[p] = quantiles(answers)
	}
	f.disturbed = r.disturbance()
	return f
}

// smooth is how many windows are looked at together to say whether a run is disturbed: less is noise.
const smooth = 5

// disturbance is the time from the first to the last window during the stress that is worse than nearly all
// before: one in a hundred windows before is worse as well.
func (r *run) disturbance() time.Duration {
	usual := means(r.in(before), r.worse)
	now := means(r.in(during), r.worse)
	if len(usual) == 0 || len(now) == 0 {
		return 0
	}
	slices.Sort(usual)
	limit := usual[len(usual)*99/100]
	first, last := -1, -1
	for i, x := range now {
		if x > limit*1.25 {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return 0
	}
	return time.Duration(last-first+smooth) * window
}

// worse is a number that is larger for windows in which less was done, or later.
func (r *run) worse(s sample) float64 {
	if r.rate > 0 {
		return float64(s.p99)
	}
	return 1 / max(s.throughput, 1)
}

// means are averages of as many windows as smooth says.
func means(all []sample, of func(sample) float64) (m []float64) {
	for i := smooth; i <= len(all); i++ {
		sum := 0.
		for _, s := range all[i-smooth : i] {
			sum += of(s)
		}
		m = append(m, sum/smooth)
	}
	return m
}
