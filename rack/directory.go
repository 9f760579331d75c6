package rack

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
)

// What the machine does that leads the directory: it serves ServiceDirectory,
// tells all members of the view, declares the dead, and chooses who votes.

// serveDirectory answers ServiceDirectory.
func (r *Rack) serveDirectory(q Request) {
	var m directoryMessage
	if err := json.Unmarshal(q.Data, &m); err != nil {
		q.Fail(err)
		return
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
		r.heardLeave(m.ID)
	}
}

// command runs one command of a machine on the directory.
func (r *Rack) command(ctx context.Context, from MachineID, m *directoryMessage) (*directoryAnswer, error) {
	switch m.Op {
	case opLocate, opResolve:
		return r.lookUp(m)
	case opLeave:
		return r.dismiss(ctx, m.ID)
	case opJoin:
		if m.Member == nil {
			return nil, ErrParameter
		}
	case opDrain, opLease, opBind, opPublish:
	default:
		return nil, ErrParameter
	}
	return r.decide(ctx, command{directoryMessage: *m, From: from})
}

// lookUp answers from the replica.
func (r *Rack) lookUp(m *directoryMessage) (*directoryAnswer, error) {
	d := &r.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.replica == nil || !d.replica.leads() {
		return nil, ErrNoDirectory
	}
	s, a := &d.replica.state, &directoryAnswer{}
	switch m.Op {
	case opLocate:
		a.Location, a.Found = s.locations[m.Proclet]
		if s.Version > m.Version {
			v := s.View
			a.View = &v
		}
	case opResolve:
		a.Value, a.Found = s.names[m.Name]
	}
	return a, nil
}

// begin begins to serve as directory.
func (r *Rack) begin(v *View) {
	r.note("this machine is the directory now, epoch %d", v.Epoch)
	r.mu.Lock()
	clear(r.told)
	clear(r.removing)
	r.mu.Unlock()
	for _, m := range v.Members {
		if m.Nonce == r.e.nonce {
			continue
		}
		if s := r.e.session(m.Nonce, m.MAC, m.IP); s != nil {
			s.keepOpen()
		}
	}
}

// tell makes the newest view known to the members that do not have it, and to
// those who have left and wait to hear it.
func (r *Rack) tell() {
	r.mu.Lock()
	v := r.view
	var to []MemberRecord
	for _, m := range v.Members {
		if m.Nonce != r.e.nonce && r.told[m.Nonce] < v.Version {
			to = append(to, m)
		}
	}
	to = append(to, r.waitingLeavers()...)
	r.mu.Unlock()
	for _, m := range to {
		s := r.e.session(m.Nonce, m.MAC, m.IP)
		if s == nil {
			continue
		}
		r.spawn(func() {
			ctx, cancel := context.WithTimeout(r.ctx, r.config.Dead)
			defer cancel()
			if _, err := callView(ctx, s, &viewMessage{Op: opView, View: &v}); err == nil {
				r.mu.Lock()
				r.told[m.Nonce] = max(r.told[m.Nonce], v.Version)
				r.heard[m.Nonce] = r.heard[m.Nonce] || v.left(m.Nonce)
				r.mu.Unlock()
			}
		})
	}
}

// elect has those vote who should: a machine that is heard, and one that votes
// already until it is known to be silent.
func (r *Rack) elect() {
	r.mu.Lock()
	rebooted := maps.Clone(r.rebooted)
	r.mu.Unlock()
	peers := r.e.peers.Load().byNonce
	gone := func(id uint64) bool {
		s := peers[id]
		return rebooted[id] || s != nil && s.silentFor() >= r.e.limit
	}
	d := &r.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.replica
	if p == nil {
		return
	}
	able := func(m *MemberRecord) bool {
		s := peers[m.Nonce]
		return !gone(m.Nonce) && (p.votes(m.Nonce) || s != nil && s.isOpen())
	}
	if p.configure(chooseVoters(&p.state.View, p.conf.Voters, p.id, able), gone) {
		d.kick()
	}
}

// tickDirectory declares the dead and repeats what members have missed.
func (r *Rack) tickDirectory(v *View, dead []MachineID) {
	r.mu.Lock()
	var remove []MachineID
	for _, m := range v.Members {
		if (slices.Contains(dead, m.ID) || r.rebooted[m.Nonce]) && !r.removing[m.ID] && m.Nonce != r.e.nonce {
			r.removing[m.ID] = true
			remove = append(remove, m.ID)
		}
	}
	r.mu.Unlock()
	for _, id := range remove {
		r.spawn(func() {
			ctx, cancel := context.WithTimeout(r.ctx, 2*r.config.Dead)
			defer cancel()
			// If it fails it is tried again at the next tick.
			_, _ = r.decide(ctx, command{directoryMessage: directoryMessage{Op: opDead, ID: id}})
			r.mu.Lock()
			delete(r.removing, id)
			r.mu.Unlock()
		})
	}
	for _, m := range v.Members {
		if m.Nonce == r.e.nonce {
			continue
		}
		if s := r.e.session(m.Nonce, m.MAC, m.IP); s != nil {
			s.keepOpen()
		}
	}
	r.tell()
	r.elect()
}

// goOnAlone has this machine, one of two that vote, go on without the other if it
// may: the directory if the other one is silent, or either if the other one's
// machine has booted again.
func (r *Rack) goOnAlone() {
	d := &r.directory
	d.mu.Lock()
	if d.replica == nil {
		d.mu.Unlock()
		return
	}
	other, ifSilent, ifGone := d.replica.partner()
	d.mu.Unlock()
	s := r.e.peers.Load().byNonce[other]
	r.mu.Lock()
	gone := ifGone && r.rebooted[other]
	silent := ifSilent && s != nil && s.silentFor() >= r.e.limit
	start := (gone || silent) && !r.alone
	r.alone = r.alone || start
	r.mu.Unlock()
	if !start {
		return
	}
	r.spawn(func() {
		if gone {
			// It takes the word of a machine that has booted again. If the
			// others went on without us meanwhile, they tell us now.
			r.sayHello()
			r.pause(helloSettle)
		}
		d.mu.Lock()
		again, ifSilent, ifGone := d.replica.partner()
		if r.ctx.Err() == nil && again == other && (gone && ifGone || silent && ifSilent) {
			d.replica = d.replica.goOn()
		}
		d.mu.Unlock()
		d.kick()
		r.mu.Lock()
		r.alone = false
		r.mu.Unlock()
	})
}
