package rack

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// tryForm forms the rack if this machine is the one to do so.
func (r *Rack) tryForm(ctx context.Context, now time.Duration) {
	us := r.record()
	all := []MemberRecord{us}
	r.mu.Lock()
	for _, s := range r.searchers {
		if now-s.heard < helloMemory {
			all = append(all, MemberRecord{Nonce: s.nonce, MAC: s.mac, IP: s.ip})
		}
	}
	r.mu.Unlock()
	slices.SortFunc(all, func(a, b MemberRecord) int { return bytes.Compare(a.MAC[:], b.MAC[:]) })

	need := r.config.Machines/2 + 1
	if f := r.machine.former; f != nil {
		if !f.is(us.MAC, us.IP) {
			return
		}
		need = 1
	} else {
		if all[0].Nonce != us.Nonce && now < helloSettle+5*r.config.Dead {
			return // another is first, unless it does not manage for long
		}
		// Not all that are wanted are here: give them a little more time.
		if len(all) < need || len(all) < r.config.Machines && now < 2*helloSettle {
			return
		}
	}
	to := slices.DeleteFunc(slices.Clone(all), func(m MemberRecord) bool { return m.Nonce == us.Nonce })
	if r.machine.former != nil || r.config.Machines == 1 {
		to = nil // decided alone; the others join
	}

	r.mu.Lock()
	epoch := max(r.acceptor.promised, r.epochSeen) + 1
	ok := r.acceptor.prepare(epoch) && r.acceptor.accepted.Version == 0
	r.mu.Unlock()
	if !ok {
		r.takeOver() // in a view that somebody proposed and did not decide
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	promised := map[uint64]bool{us.Nonce: true}
	taken := false
	r.canvass(ctx, to, &viewMessage{Op: opPrepare, Epoch: epoch, From: us.Nonce}, func(from uint64, a *viewAnswer) bool {
		switch {
		case a.View != nil:
			taken = true // there is a rack, or may be
		case a.OK:
			promised[from] = true
		default:
			r.notePromise(a.Promised)
		}
		return taken || len(promised) == len(all)
	})
	if taken || len(promised) < need {
		return
	}
	v := View{Rack: rand.Uint64() | 1, Epoch: epoch, Version: 1, NextID: 1}
	for _, m := range all {
		if promised[m.Nonce] {
			m.ID = v.NextID
			v.NextID++
			v.Members = append(v.Members, m)
			if m.Nonce == us.Nonce {
				v.Directory = m.ID
			}
		}
	}
	to = slices.DeleteFunc(slices.Clone(v.Members), func(m MemberRecord) bool { return m.Nonce == us.Nonce })
	// More than half of machines=, so that two halves cannot both form one.
	enough := func(agree map[uint64]bool) bool { return len(agree) >= need && v.quorum(agree, nil, 0) }
	if r.replicate(ctx, v, to, enough) {
		r.lead(v.Epoch)
	}
}
