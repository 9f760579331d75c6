package placement

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Even looks for machines that are much fuller than others, in memory or in processors, and has them
// give a part of what they have: so a machine that has just joined gets work. It is called
// from time to time.
func (l *Leader) Even(now time.Duration) (orders []Grant) {
	l.expire(now)
	var free []*machine // to give or to receive
	for _, m := range l.order {
		if l.busy(now, m) == none && !m.receives() && !m.state.Memory && !m.state.Processor {
			free = append(free, m)
		}
	}
	paired := map[Machine]bool{}
	looked := map[Machine]bool{}
	for _, measure := range []func(*machine) float64{l.memoryUsed, l.processorsUsed} {
		for _, pair := range l.pairs(free, measure, paired) {
			give, take := pair[0], pair[1]
			looked[give.id] = true
			if give.fuller++; give.fuller < l.policy.Looks || now < give.calm {
				continue
			}
			give.fuller = 0
			g := l.evening(give, take, l.memoryUsed(give)-l.memoryUsed(take) >= l.policy.Even && l.memoryUsed(give) >= l.policy.Full)
			l.open(now, &g, g.WantBytes, g.WantLoad)
			orders = append(orders, g)
		}
	}
	for _, m := range l.order {
		if !looked[m.id] {
			m.fuller = 0
		}
	}
	return orders
}

// memoryUsed and processorsUsed are shares of what a machine has, with what was promised to it.
func (l *Leader) memoryUsed(m *machine) float64 {
	used := float64(m.state.Total) - float64(m.state.Free)
	for _, p := range m.promises {
		used += float64(p.bytes)
	}
	return used / float64(max(m.state.Total, 1))
}

func (l *Leader) processorsUsed(m *machine) float64 {
	load := m.state.Load
	for _, p := range m.promises {
		load += p.load
	}
	return load / float64(max(m.state.Processors, 1))
}

// pairs pairs the fullest machine with the emptiest, and so on, as long as they differ enough. Each
// machine is in one pair only.
func (l *Leader) pairs(all []*machine, used func(*machine) float64, paired map[Machine]bool) (pairs [][2]*machine) {
	var left []*machine
	for _, m := range all {
		if !paired[m.id] {
			left = append(left, m)
		}
	}
	slices.SortStableFunc(left, func(a, b *machine) int { return cmp.Compare(used(b), used(a)) })
	for i, j := 0, len(left)-1; i < j; i, j = i+1, j-1 {
		give, take := left[i], left[j]
		if used(give) < l.policy.Full || used(give)-used(take) < l.policy.Even {
			break
		}
		paired[give.id], paired[take.id] = true, true
		pairs = append(pairs, [2]*machine{give, take})
	}
	return pairs
}

// evening is the order that makes two machines equally full, of memory or of load.
func (l *Leader) evening(give, take *machine, memory bool) Grant {
	r := l.room(take, l.policy.Reserve)
	g := Grant{From: give.id, To: take.id, Kind: Evening, Bytes: r.bytes, Load: max(r.load, 0) + l.policy.Slack}
	if memory {
		a, b := l.memoryUsed(give), l.memoryUsed(take)
		g.WantBytes = uint64((a - b) / (1/float64(give.state.Total) + 1/float64(take.state.Total)))
		g.Bytes = min(g.Bytes, g.WantBytes)
		g.Reason = fmt.Sprintf("%.0f%% of machine %d's memory is used, and %.0f%% of machine %d's", 100*a, give.id, 100*b, take.id)
		return g
	}
	a, b := l.processorsUsed(give), l.processorsUsed(take)
	g.WantLoad = (a - b) / (1/float64(give.state.Processors) + 1/float64(take.state.Processors))
	g.Load = min(g.Load, g.WantLoad)
	g.Reason = fmt.Sprintf("machine %d has a load of %.2f on %d processors, and machine %d %.2f on %d",
		give.id, give.state.Load, give.state.Processors, take.id, take.state.Load, take.state.Processors)
	return g
}
