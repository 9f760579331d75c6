package rack

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Discovery. A machine that looks for its rack says hello, by broadcast or to
// the machines of peers=, until it is a member. Members answer with where the
// directory is; other searchers take note that it is there.

// searcher is another machine that looks for the rack.
type searcher struct {
	nonce uint64
	mac   macAddr
	ip    netip.Addr
	heard time.Duration
}

// directoryHint is what members say about the directory.
type directoryHint struct {
	heard     time.Duration // a member has answered; 0: none has
	directory uint64        // nonce, 0: there is none now
	mac       macAddr
	member    uint64 // nonce of the member that says so
	memberMAC macAddr
}

const (
	helloFast   = 50 * time.Millisecond // the first hellos
	helloSlow   = 200 * time.Millisecond
	helloSettle = 400 * time.Millisecond // how long to listen before forming a rack
	helloMemory = 2 * time.Second        // how long what was heard counts
)

// sayHello looks for the rack.
func (r *Rack) sayHello() {
	hello := func(mac macAddr, ip netip.Addr) {
		g := r.aboutUs()
		r.e.sendControl(kindHello, mac, ip, &g)
	}
	if len(r.machine.peers) == 0 {
		hello(broadcast, netip.AddrFrom4([4]byte{255, 255, 255, 255}))
	}
	for _, p := range r.machine.peers {
		if p.ip.IsValid() {
			// Its Ethernet address is not known: everybody hears, it answers.
			hello(broadcast, p.ip)
		} else {
			hello(p.mac, netip.Addr{})
		}
	}
}

// aboutUs is a greeting that says what we know of the rack.
func (r *Rack) aboutUs() greeting {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := greeting{Machines: uint16(min(r.config.Machines, 65535)), Rack: r.view.Rack}
	if d := r.view.member(r.view.Directory); d != nil && !r.rebooted[d.Nonce] {
		alive := d.Nonce == r.e.nonce && r.directory.leads.Load()
		if s := r.e.peers.Load().byNonce[d.Nonce]; s != nil && s.silentFor() < r.e.limit {
			alive = true
		}
		if alive {
			g.Directory, g.DirectoryMAC = d.Nonce, d.MAC
		}
	}
	return g
}

// control takes an authentic control frame, on the poller.
func (r *Rack) control(k kind, g *greeting) {
	switch k {
	case kindHello:
		r.hello(g)
	case kindRefused:
		r.refusedBy(g)
	case kindFenced:
		r.events.post(func() { r.fenced(fmt.Sprintf("machine %v says so", g.MAC)) })
	}
}

// admit says whether another machine may open a session.
func (r *Rack) admit(g *greeting) error {
	if g.Role == roleObserver || g.Build == r.config.Build {
		return nil
	}
	r.events.post(func() {
		r.note("machine %v (%v) runs another build, %.12s...; this rack runs %.12s...: it is refused",
			g.MAC, g.IP, g.Build, r.config.Build)
	})
	return fmt.Errorf("this machine runs build %.12s..., the rack %.12s...", g.Build, r.config.Build)
}

// hello takes note of a machine that looks for the rack, or of a member that
// answers one.
func (r *Rack) hello(g *greeting) {
	now := r.e.now()
	if g.Role == roleMember && g.Answer {
		r.mu.Lock()
		if g.Directory != 0 || r.hint.directory == 0 || now-r.hint.heard > helloMemory {
			r.hint = directoryHint{now, g.Directory, g.DirectoryMAC, g.From, g.MAC}
		}
		r.mu.Unlock()
		return
	}
	if g.Role == roleMember {
		r.e.tellFenced(g.From) // it asks whether that is so
		return
	}
	if err := r.admit(g); err != nil {
		if role(r.e.role.Load()) == roleMember {
			r.e.sendControl(kindRefused, g.MAC, g.IP, &greeting{To: g.From, Text: err.Error()})
		}
		return
	}
	if g.Role == roleCandidate {
		r.mu.Lock()
		r.searchers[g.From] = &searcher{g.From, g.MAC, g.IP, now}
		r.mu.Unlock()
		r.noteReboot(g)
	}
	if role(r.e.role.Load()) == roleMember {
		a := r.aboutUs()
		a.To, a.Answer = g.From, true
		r.e.sendControl(kindHello, g.MAC, g.IP, &a)
	}
}

// noteReboot notes that a member's machine has booted again: its former
// incarnation is certainly gone.
func (r *Rack) noteReboot(g *greeting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.view.Gone {
		if m.Nonce == g.From {
			return // an old frame
		}
	}
	for _, m := range r.view.Members {
		if m.MAC == g.MAC && m.Nonce != g.From && m.Nonce != r.e.nonce {
			r.rebooted[m.Nonce] = true
		}
	}
}

// refusedBy ends the search of a machine that runs another build.
func (r *Rack) refusedBy(g *greeting) {
	if role(r.e.role.Load()) != roleCandidate {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = fmt.Errorf("%w by machine %v (%v): %s", ErrRefused, g.MAC, g.IP, g.Text)
}

// search looks for the rack until this machine is a member of it, and forms it
// if there is none.
func (r *Rack) search(ctx context.Context) error {
	wait := helloFast
	for n := 0; ; n++ {
		r.mu.Lock()
		member := r.view.byNonce(r.e.nonce) != nil
		refused, hint, changed := r.refused, r.hint, r.changed
		r.mu.Unlock()
		if refused != nil {
			return refused
		}
		if member {
			return nil
		}
		r.sayHello()
		now := r.e.now()
		switch {
		case hint.heard != 0 && now-hint.heard < helloMemory:
			if hint.directory != 0 {
				if err := r.askToJoin(ctx, hint); err != nil && (errors.Is(err, ErrFenced) || errors.Is(err, ErrRefused)) {
					return err
				}
			}
		case now > helloSettle:
			r.tryFound(ctx, now)
		}
		if n == 10 {
			wait = helloSlow
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
		timer.Stop()
	}
}

// askToJoin asks the directory to make us a member.
func (r *Rack) askToJoin(ctx context.Context, h directoryHint) error {
	s := r.e.session(h.directory, h.mac, netip.Addr{})
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	us := r.record()
	answer, err := callDirectory(ctx, s, &directoryMessage{Op: opJoin, Member: &us, Build: r.config.Build})
	if err != nil {
		return err
	}
	r.learn(answer.View)
	return nil
}

// record describes this incarnation.
func (r *Rack) record() MemberRecord {
	return MemberRecord{Nonce: r.e.nonce, MAC: r.e.mac, IP: r.e.port.Addr().Addr()}
}
