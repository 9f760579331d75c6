package rack

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// What drives a replica: ticks, messages from and to the other replicas, commands
// to agree on, and what is to be done about those that have been decided.

// directory is this machine's part in the directory: its replica, if it has one,
// and what drives it.
type directory struct {
	inbox chan parcel
	wake  chan struct{}
	leads atomic.Bool // this machine is the directory

	mu      sync.Mutex
	replica *replica // nil: this machine has no copy
	changes uint64   // of replica that have been seen to
	partial map[MachineID][]byte
}

func (d *directory) init() {
	d.inbox, d.wake = make(chan parcel, 1024), make(chan struct{}, 1)
	d.partial = map[MachineID][]byte{}
}

// parcel is a message between replicas, or a part of a long one, as it travels:
//
//	 0  the rack's number                8
//	 8  the group                        8
//	16  length of the message            4
//	20  where this part begins           4
//	24  the part
type parcel struct {
	from MachineID
	data []byte
}

const (
	parcelHeader = 24
	parcelMax    = 1 << 20
)

// electionTick is the unit of the directory's elections: 20 ms if death takes the
// usual 3 s, so that it is replaced within 300 ms. A needless election does no
// harm, but machines that are slow to die are slow to answer as well.
func (c *Config) electionTick() time.Duration { return max(c.Dead/150, 10*time.Millisecond) }

// close ends this machine's part.
func (d *directory) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.replica = nil
	d.leads.Store(false)
}

// nextTick is when the next tick is due. It varies, so that seldom two machines
// stand for election at the same moment.
func (r *Rack) nextTick() time.Duration {
	tick := r.config.electionTick()
	return tick*3/4 + rand.N(tick/2)
}

// kick has the replica's work done.
func (d *directory) kick() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// serveReplica takes a message to our replica. It runs on the poller.
func (r *Rack) serveReplica(q Request) {
	select {
	case r.directory.inbox <- parcel{q.From, append([]byte(nil), q.Data...)}:
		q.Reply(nil)
	default:
		q.Fail(ErrTooLarge) // it is sent again
	}
}

// runDirectory drives the replica.
func (r *Rack) runDirectory() {
	d := &r.directory
	timer := time.NewTimer(r.nextTick())
	defer timer.Stop()
	defer d.close()
	ticking := true
	for {
		tick := false
		select {
		case <-timer.C:
			tick, ticking = true, false
		case p := <-d.inbox:
			r.step(p)
			for range len(d.inbox) {
				r.step(<-d.inbox)
			}
		case <-d.wake:
		case <-r.ctx.Done():
			return
		}
		idle := r.turnOver(tick)
		switch {
		case idle && ticking:
			timer.Stop()
		case !idle && !ticking:
			timer.Reset(r.nextTick())
		}
		ticking = !idle
	}
}

// step hands a message to the replica, and makes one if the first arrives.
func (r *Rack) step(in parcel) {
	r.mu.Lock()
	rack := r.view.Rack
	r.mu.Unlock()
	le := binary.LittleEndian
	if len(in.data) < parcelHeader || rack == 0 || le.Uint64(in.data) != rack {
		return
	}
	group, size, at := le.Uint64(in.data[8:]), int(le.Uint32(in.data[16:])), int(le.Uint32(in.data[20:]))
	body := in.data[parcelHeader:]
	d := &r.directory
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(body) < size {
		whole := d.partial[in.from]
		delete(d.partial, in.from)
		if at != 0 && at != len(whole) || at+len(body) > size {
			return
		}
		whole = append(whole[:at:at], body...)
		if len(whole) < size {
			d.partial[in.from] = whole
			return
		}
		body = whole
	}
	var m pb.Message
	if m.Unmarshal(body) != nil || m.To != r.e.nonce {
		return
	}
	if d.replica == nil || d.replica.group < group {
		d.replica = newReplica(r.e.nonce, group)
	}
	if d.replica.group == group {
		d.replica.step(m)
	}
}

// turnOver does the replica's work: it sends what is to be sent, learns what has
// been decided and answers those who wait. It reports whether time matters not.
func (r *Rack) turnOver(tick bool) (idle bool) {
	d := &r.directory
	d.mu.Lock()
	p := d.replica
	if p == nil {
		d.mu.Unlock()
		return true
	}
	if tick {
		p.tick()
	}
	out := p.work()
	for i := range out {
		r.post(p, &out[i])
	}
	view, done, leads := p.state.View, p.done, p.leads()
	idle, p.done = p.idle(), nil
	changed := d.changes != p.changes
	d.changes = p.changes
	d.mu.Unlock()

	led := d.leads.Swap(leads)
	r.learn(&view)
	for _, f := range done {
		f()
	}
	switch {
	case leads && !led:
		r.begin(&view)
	case !leads && led:
		r.note("this machine is not the directory any more")
	}
	if leads && changed {
		r.tell()
		r.elect()
	}
	return idle
}

// post sends a message to another replica. It need not arrive. Called with the
// directory's mu held.
func (r *Rack) post(p *replica, m *pb.Message) {
	r.mu.Lock()
	to, rack := r.view.byNonce(m.To), r.view.Rack
	r.mu.Unlock()
	s := r.e.peers.Load().byNonce[m.To]
	if s == nil && to != nil {
		s = r.e.session(to.Nonce, to.MAC, to.IP)
	}
	if s == nil {
		p.raw.ReportUnreachable(m.To)
		return
	}
	size := m.Size()
	b := make([]byte, parcelHeader, parcelHeader+size)
	le := binary.LittleEndian
	le.PutUint64(b, rack)
	le.PutUint64(b[8:], p.group)
	le.PutUint32(b[16:], uint32(size))
	b = b[:parcelHeader+size]
	_, err := m.MarshalTo(b[parcelHeader:])
	must(err)
	if m.Type == pb.MsgSnap || size > parcelMax {
		r.spawn(func() { r.postLong(s, p, m.Type, b) })
	} else if !s.begin(ServiceReplica, b, func([]byte, error) {}) {
		s.keepOpen()
		p.raw.ReportUnreachable(m.To)
	}
}

// postLong sends a message in parts, and says what has become of a snapshot.
func (r *Rack) postLong(s *session, p *replica, t pb.MessageType, b []byte) {
	ctx, cancel := context.WithTimeout(r.ctx, 2*r.config.Dead)
	defer cancel()
	header, body := b[:parcelHeader], b[parcelHeader:]
	status := raft.SnapshotFinish
	for at := 0; at < len(body); at += parcelMax {
		part := append([]byte(nil), header...)
		binary.LittleEndian.PutUint32(part[20:], uint32(at))
		part = append(part, body[at:min(at+parcelMax, len(body))]...)
		if _, err := s.call(ctx, ServiceReplica, part); err != nil {
			status = raft.SnapshotFailure
			break
		}
	}
	if t == pb.MsgSnap {
		r.directory.mu.Lock()
		p.raw.ReportSnapshot(s.nonce, status)
		r.directory.mu.Unlock()
		r.directory.kick()
	}
}

// decide has the directory's replicas agree on a command, and returns the answer.
// Only the directory can: on other machines it fails with ErrNoDirectory.
func (r *Rack) decide(ctx context.Context, c command) (*directoryAnswer, error) {
	d := &r.directory
	w := make(chan decision, 1)
	d.mu.Lock()
	if d.replica == nil || !d.replica.leads() {
		d.mu.Unlock()
		return nil, ErrNoDirectory
	}
	d.replica.propose(c, w)
	d.mu.Unlock()
	d.kick()
	select {
	case x := <-w:
		return &x.answer, x.err
	case <-ctx.Done():
		return nil, ErrNoDirectory
	case <-r.ctx.Done():
		return nil, context.Cause(r.ctx)
	}
}

// found begins with one of the first replicas of a rack, if that is for this
// machine.
func (d *directory) found(v *View, nonce uint64) {
	p := foundReplica(nonce, v)
	d.mu.Lock()
	if p.votes(nonce) && d.replica == nil {
		d.replica = p
		if v.member(v.Directory).Nonce == nonce {
			must(p.raw.Campaign())
		}
	}
	d.mu.Unlock()
	d.kick()
}
