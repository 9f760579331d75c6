package placement

import (
	"fmt"
	"time"
)

// obstacle is why a machine does not become a destination.
type obstacle uint8

const (
	none obstacle = iota
	stale
	leaves
	gives
	unwilling
	lowMemory
	littleMemory
	lowProcessors
	littleProcessor
)

// busy says what keeps a machine from giving and from taking.
func (l *Leader) busy(now time.Duration, m *machine) obstacle {
	switch {
	case now-m.at > l.policy.Stale:
		return stale
	case m.draining:
		return leaves
	case m.source != nil:
		return gives
	case now < m.refused:
		return unwilling
	}
	return none
}

// short says what m, which has room r, has too little of for q.
func (l *Leader) short(q Request, m *machine, r room) obstacle {
	p := &l.policy
	switch {
	case m.state.Memory:
		return lowMemory
	case r.bytes < max(q.Least, 1):
		return littleMemory
	case q.Kind != Processor:
		return none
	case m.state.Processor:
		return lowProcessors
	case r.load < p.MinSpare || r.load+p.Slack < q.LeastOf:
		return littleProcessor
	}
	return none
}

// explain says why m was not chosen.
func (l *Leader) explain(now time.Duration, q Request, m *machine, reserve float64) string {
	r := l.room(m, reserve)
	o := l.busy(now, m)
	if o == none {
		o = l.short(q, m, r)
	}
	text := ""
	switch o {
	case none:
		return ""
	case stale:
		text = fmt.Sprintf("has not reported for %v", (now - m.at).Round(time.Millisecond))
	case leaves:
		text = "is draining"
	case gives:
		text = fmt.Sprintf("gives to machine %d itself", m.source.to)
	case unwilling:
		text = "has just refused"
	case lowMemory:
		text = fmt.Sprintf("is short of memory itself, with %s free", Size(m.state.Free))
	case littleMemory:
		text = fmt.Sprintf("has %s free of which %s may be taken, and the smallest proclet %s", Size(m.state.Free), Size(r.bytes), Size(q.Least))
	case lowProcessors:
		text = fmt.Sprintf("is short of processors itself, with a load of %.2f on %d", m.state.Load, m.state.Processors)
	case littleProcessor:
		text = fmt.Sprintf("has %.2f processors to spare, and the least busy proclet uses %.2f", r.load, q.LeastOf)
	}
	return fmt.Sprintf("; machine %d %s", m.id, text)
}
