package rack

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
)

// What the directory machine does: it begins by asking every member what it
// has, serves ServiceDirectory, and changes the view one change at a time.

// serveDirectory answers ServiceDirectory.
func (r *Rack) serveDirectory(q Request) {
	var m directoryMessage
	if err := json.Unmarshal(q.Data, &m); err != nil {
		q.Fail(err)
		return
	}
	if m.Op == opLeave {
		r.leaver(m.ID, true)
	}
	ctx, cancel := context.WithTimeout(r.ctx, 2*r.config.Dead)
	defer cancel()
	a, err := r.command(ctx, q.From, &m)
	if err != nil {
		q.Fail(err)
		return
	}
	replyJSON(q, a)
	if m.Op == opLeave {
		r.leaver(m.ID, false)
	}
}

// command runs one command of a machine on the directory.
func (r *Rack) command(ctx context.Context, from MachineID, m *directoryMessage) (*directoryAnswer, error) {
	a := &directoryAnswer{}
	r.mu.Lock()
	if gone := r.view.wasHere(m.ID); m.Op == opLeave && gone != nil && gone.Left {
		r.mu.Unlock()
		return a, nil // that needs no directory any more
	}
	if r.directory == nil || !r.quorate {
		r.mu.Unlock()
		return nil, ErrNoDirectory
	}
	switch m.Op {
	case opLocate:
		a.Location, a.Found = r.directory.locations[m.Proclet]
		if v := r.view; v.Version > m.Version {
			a.View = &v
		}
		r.mu.Unlock()
		return a, nil
	case opPublish:
		r.directory.publish(parseLocated(m.Locations))
		r.mu.Unlock()
		return a, nil
	case opResolve:
		var n boundName
		n, a.Found = r.names[m.Name]
		a.Value, a.Found = n.Value, a.Found && n.Decided
		r.mu.Unlock()
		return a, nil
	}
	r.mu.Unlock()

	switch m.Op {
	case opJoin:
		if m.Member == nil {
			return nil, ErrParameter
		}
		return r.admitMember(ctx, *m.Member)
	case opDrain:
		return a, r.change(ctx, change{Drain: m.ID})
	case opLeave:
		return a, r.change(ctx, change{Remove: m.ID, Leave: true})
	case opLease:
		var err error
		a.Lease, err = r.grantLease(ctx, from, m.Size)
		return a, err
	case opBind:
		var err error
		a.Value, err = r.bind(ctx, m.Name, m.Value)
		return a, err
	}
	return nil, ErrParameter
}

// admitMember makes a machine a member. Its former incarnation, if it is still
// one, is dead: a machine runs one at a time.
func (r *Rack) admitMember(ctx context.Context, m MemberRecord) (*directoryAnswer, error) {
	r.mu.Lock()
	var former []MachineID
	for _, o := range r.view.Members {
		if o.MAC == m.MAC && o.Nonce != m.Nonce {
			former = append(former, o.ID)
			r.rebooted[o.Nonce] = true
		}
	}
	r.mu.Unlock()
	for _, id := range former {
		if err := r.change(ctx, change{Remove: id}); err != nil {
			return nil, err
		}
	}
	if err := r.change(ctx, change{Add: &m}); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.view
	return &directoryAnswer{View: &v, Names: maps.Clone(r.names)}, nil
}

// change makes one change of the view, and returns when it is decided. A view
// that was proposed before and not decided comes first.
func (r *Rack) change(ctx context.Context, c change) error {
	if r.proposing.take(ctx) != nil {
		return ErrNoDirectory
	}
	defer r.proposing.pass()
	for {
		r.mu.Lock()
		if r.directory == nil {
			r.mu.Unlock()
			return ErrNoDirectory
		}
		old, epoch := r.view, r.directory.epoch
		next, pending := r.acceptor.accepted, true
		if next.Epoch != epoch || !next.newer(&old) {
			pending = false
			var err error
			if next, err = old.apply(c); err != nil {
				r.mu.Unlock()
				if err == errNoChange {
					return nil
				}
				return err
			}
		}
		r.mu.Unlock()
		// Of two machines, the directory alone may declare the other dead, and
		// nothing else: what the other was told must outlive the directory.
		var tie uint64
		if n := len(next.Gone); len(next.Members) < len(old.Members) && !next.Gone[n-1].Left {
			tie = r.e.nonce
		}

		to := r.others(&next)
		for _, m := range r.others(&old) {
			if next.byNonce(m.Nonce) == nil {
				to = append(to, m)
			}
		}
		enough := func(agree map[uint64]bool) bool {
			gone := r.certainlyGone()
			return old.quorum(agree, gone, tie) && next.quorum(agree, gone, tie)
		}
		if !r.replicate(ctx, next, to, enough) {
			r.mu.Lock()
			if r.epochSeen > epoch || r.acceptor.promised > epoch {
				r.directory = nil // others made promises meanwhile: stand again
			}
			r.mu.Unlock()
			return ErrNoDirectory
		}
		r.tell()
		if !pending {
			return nil
		}
	}
}

// tell makes the newest view known to the members that do not have it.
func (r *Rack) tell() {
	r.mu.Lock()
	v := r.view
	if r.directory == nil {
		r.mu.Unlock()
		return
	}
	var to []MemberRecord
	for _, m := range v.Members {
		if m.Nonce != r.e.nonce && r.told[m.Nonce] != v.Version {
			to = append(to, m)
		}
	}
	r.mu.Unlock()
	for _, m := range to {
		s := r.e.session(m.Nonce, m.MAC, m.IP)
		if s == nil {
			continue
		}
		r.spawn(func() {
			ctx, cancel := context.WithTimeout(r.ctx, r.config.Dead)
			defer cancel()
			if _, err := callView(ctx, s, &viewMessage{Op: opCommit, View: &v}); err == nil {
				r.mu.Lock()
				r.told[m.Nonce] = max(r.told[m.Nonce], v.Version)
				r.mu.Unlock()
			}
		})
	}
}

// lead begins to serve as directory in an epoch that we have been elected for:
// once a majority of the members, and all that answer in time, have reported
// what they have.
func (r *Rack) lead(epoch uint64) {
	r.mu.Lock()
	v := r.view
	r.mu.Unlock()
	d := newDirectory(epoch, v.Leased)
	us := v.byNonce(r.e.nonce)
	if v.Epoch != epoch || us == nil || v.Directory != us.ID {
		return
	}
	merge := func(a *viewAnswer) {
		r.learnNames(a.Names)
		d.merge(a.Leases, parseLocated(a.Locations))
	}
	own := viewAnswer{More: true}
	for skip := 0; own.More; skip += len(own.Locations) / locatedLen {
		own = r.report(skip)
		merge(&own)
	}

	ctx, cancel := context.WithTimeout(r.ctx, r.config.Dead)
	defer cancel()
	reported := map[uint64]bool{r.e.nonce: true}
	skips := map[uint64]int{}
	left := r.others(&v)
	for round := 0; len(left) > 0 && ctx.Err() == nil; round++ {
		// One page of each per round; nearly always there is one.
		ask := left
		left = nil
		for _, group := range groupBySkip(ask, skips) {
			answered := 0
			r.canvass(ctx, group, &viewMessage{Op: opReport, Skip: skips[group[0].Nonce]}, func(from uint64, a *viewAnswer) bool {
				merge(a)
				skips[from] += len(a.Locations) / locatedLen
				if a.More {
					left = append(left, *v.byNonce(from))
				} else {
					reported[from] = true
				}
				answered++
				return answered == len(group)
			})
		}
	}
	if !v.quorum(reported, r.certainlyGone(), us.Nonce) || !r.bindAgain(ctx, &v) {
		return // nobody is there to lead; the next tick tries again
	}
	r.mu.Lock()
	if r.view.Epoch == epoch && r.acceptor.promised == epoch {
		r.directory, r.quorate = d, true
		r.told = map[uint64]uint64{}
		r.removing = map[MachineID]bool{}
	}
	r.mu.Unlock()
	r.tell()
}

// groupBySkip groups members that are asked for the same page.
func groupBySkip(list []MemberRecord, skips map[uint64]int) (groups [][]MemberRecord) {
	by := map[int][]MemberRecord{}
	for _, m := range list {
		by[skips[m.Nonce]] = append(by[skips[m.Nonce]], m)
	}
	for _, skip := range slices.Sorted(maps.Keys(by)) {
		groups = append(groups, by[skip])
	}
	return groups
}

// tickDirectory looks whether the directory still hears a majority, removes
// the dead and repeats what members have missed.
func (r *Rack) tickDirectory(v *View, hear map[uint64]bool, dead []MachineID) {
	gone := r.certainlyGone()
	r.mu.Lock()
	was := r.quorate
	r.quorate = v.quorum(hear, gone, r.e.nonce)
	quorate := r.quorate
	var remove []MachineID
	for _, m := range v.Members {
		if (slices.Contains(dead, m.ID) || gone[m.Nonce]) && quorate && r.removing != nil && !r.removing[m.ID] {
			r.removing[m.ID] = true
			remove = append(remove, m.ID)
		}
	}
	r.mu.Unlock()
	if was && !quorate {
		r.note("the directory on this machine hears no majority: nothing new until it does")
	}
	for _, id := range remove {
		r.spawn(func() {
			ctx, cancel := context.WithTimeout(r.ctx, 2*r.config.Dead)
			defer cancel()
			_ = r.change(ctx, change{Remove: id}) // tried again at the next tick
			r.mu.Lock()
			delete(r.removing, id)
			r.mu.Unlock()
		})
	}
	for _, m := range r.others(v) {
		if s := r.e.session(m.Nonce, m.MAC, m.IP); s != nil {
			s.keepOpen()
		}
	}
	r.tell()
}
