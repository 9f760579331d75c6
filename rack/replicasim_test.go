package rack

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"nuos/mm"
)

// replicas on a network that loses, delays, reorders and repeats messages, in
// one goroutine: a seed says all that happens. It is the replica and the choice
// of voters alone; what drives them in a rack is tested with it (chaos_test.go).
type replicaSim struct {
	t       *testing.T
	dice    *rand.Rand
	nodes   map[uint64]*simNode
	flying  []simMessage
	now     int
	loss    float64
	drops   func(m *pb.Message) bool // what the network loses besides; nil: nothing
	serial  uint64
	history map[[2]uint64]string // what was decided, by group and index
	epochs  map[uint64]uint64    // who led
	leases  []mm.Range
	names   map[string]string
	ids     map[MachineID]uint64
	acks    int
}

type simNode struct {
	id      uint64
	p       *replica // nil: it has no copy
	applied uint64
	group   uint64
	side    int // of the partition
	silent  map[uint64]int
	waiting []simWait
}

type simWait struct {
	c command
	w chan decision
}

type simMessage struct {
	at       int
	from, to uint64
	group    uint64
	data     []byte
}

func simMAC(machine int) macAddr { return macAddr{2, byte(machine)} }

func newReplicaSim(t *testing.T, seed uint64, n int) *replicaSim {
	s := &replicaSim{
		t: t, dice: rand.New(rand.NewPCG(seed, 1)), nodes: map[uint64]*simNode{},
		history: map[[2]uint64]string{}, epochs: map[uint64]uint64{}, names: map[string]string{}, ids: map[MachineID]uint64{},
	}
	v := &View{Rack: 1, Build: "build", Epoch: 1, Version: foundingVersion, NextID: 1, Directory: 1}
	for range n {
		node := s.start()
		v.Members = append(v.Members, MemberRecord{ID: v.NextID, Nonce: node.id, MAC: simMAC(int(v.NextID))})
		v.NextID++
	}
	for _, m := range v.Members {
		if p := foundReplica(m.Nonce, v); p.votes(m.Nonce) {
			s.nodes[m.Nonce].p, s.nodes[m.Nonce].group = p, 1
		}
	}
	return s
}

// start adds an incarnation that knows nothing.
func (s *replicaSim) start() *simNode {
	s.serial++
	n := &simNode{id: s.serial, silent: map[uint64]int{}}
	s.nodes[n.id] = n
	return n
}

func (s *replicaSim) all() []*simNode {
	return slices.SortedFunc(maps.Values(s.nodes), func(a, b *simNode) int { return cmp.Compare(a.id, b.id) })
}

func (s *replicaSim) leader() *simNode {
	var newest *simNode
	for _, n := range s.all() {
		if n.p != nil && n.p.leads() && (newest == nil || n.p.state.Epoch > newest.p.state.Epoch) {
			newest = n
		}
	}
	return newest
}

// step lets one tick pass.
func (s *replicaSim) step() {
	s.now++
	for _, n := range s.all() {
		if n.p == nil || s.dice.IntN(50) == 0 { // a machine that is slow now and then
			continue
		}
		if !n.p.idle() {
			n.p.tick()
		}
		for _, m := range n.p.state.Members {
			n.silent[m.Nonce]++
		}
		s.work(n)
	}
	slices.SortStableFunc(s.flying, func(a, b simMessage) int { return cmp.Compare(a.at, b.at) })
	for len(s.flying) > 0 && s.flying[0].at <= s.now {
		m := s.flying[0]
		s.flying = s.flying[1:]
		var in pb.Message
		must(in.Unmarshal(m.data))
		from, to := s.nodes[m.from], s.nodes[m.to]
		lost := to == nil || from != nil && from.side != to.side
		if in.Type == pb.MsgSnap && from != nil && from.group == m.group {
			status := raft.SnapshotFinish
			if lost {
				status = raft.SnapshotFailure
			}
			from.p.raw.ReportSnapshot(m.to, status)
		}
		if lost {
			continue
		}
		to.silent[m.from] = 0
		if to.p == nil || to.group < m.group {
			to.p, to.group, to.applied = newReplica(to.id, m.group), m.group, 0
		}
		if to.group == m.group {
			to.p.step(in)
			s.work(to)
		}
	}
}

// until lets time pass until a condition holds.
func (s *replicaSim) until(what string, cond func() bool) {
	s.t.Helper()
	for range 200 {
		if cond() {
			return
		}
		s.step()
	}
	s.t.Fatalf("200 ticks have passed without: %s", what)
}

// work has a node do its work, and checks what has come of it.
func (s *replicaSim) work(n *simNode) {
	p := n.p
	for _, m := range p.work() {
		b, err := m.Marshal()
		must(err)
		for range 1 + s.dice.IntN(20)/19 { // some twice
			if s.dice.Float64() < s.loss || s.drops != nil && s.drops(&m) {
				if m.Type == pb.MsgSnap {
					p.raw.ReportSnapshot(m.To, raft.SnapshotFailure)
				}
				continue
			}
			s.flying = append(s.flying, simMessage{s.now + s.dice.IntN(3), n.id, m.To, p.group, b})
		}
	}
	for _, f := range p.done {
		f()
	}
	p.done = nil
	n.waiting = slices.DeleteFunc(n.waiting, func(w simWait) bool {
		select {
		case d := <-w.w:
			s.answered(&w.c, d)
			return true
		default:
			return false
		}
	})
	if p.leads() {
		if old, known := s.epochs[p.state.Epoch]; known && old != n.id {
			s.t.Errorf("machines %d and %d lead in epoch %d", old, n.id, p.state.Epoch)
		}
		s.epochs[p.state.Epoch] = n.id
	}
	if p.applied/8 > n.applied/8 { // now and then: it is slow
		at := [2]uint64{p.group, p.applied}
		got := s.fingerprint(&p.state)
		if old, known := s.history[at]; known && old != got {
			s.t.Errorf("group %d, entry %d: machine %d has\n%s\nand another\n%s", at[0], at[1], n.id, got, old)
		}
		s.history[at] = got
	}
	n.applied = p.applied
	for _, m := range p.state.Members {
		if old, known := s.ids[m.ID]; known && old != m.Nonce {
			s.t.Errorf("two machines are %d", m.ID)
		}
		s.ids[m.ID] = m.Nonce
	}
}

// fingerprint is a state as text.
func (s *replicaSim) fingerprint(st *state) string {
	return fmt.Sprint(st.View, st.names, st.leased, len(st.leases), st.locations)
}

// answered checks an answer that somebody has had.
func (s *replicaSim) answered(c *command, d decision) {
	if d.err != nil {
		return
	}
	s.acks++
	switch c.Op {
	case opLease:
		for _, o := range s.leases {
			if l := d.answer.Lease.Range; l.Base < o.End() && o.Base < l.End() {
				s.t.Errorf("leases %#x and %#x overlap", l, o)
			}
		}
		s.leases = append(s.leases, d.answer.Lease.Range)
	case opBind:
		if old, known := s.names[c.Name]; known && old != string(d.answer.Value) {
			s.t.Errorf("name %s is %q; it was %q", c.Name, d.answer.Value, old)
		}
		s.names[c.Name] = string(d.answer.Value)
	}
}

func (s *replicaSim) propose(n *simNode, c command) {
	w := make(chan decision, 1)
	n.p.propose(c, w)
	n.waiting = append(n.waiting, simWait{c, w})
	s.work(n)
}

// deathTicks is how long a machine is silent before it is declared dead.
const deathTicks = 40

// manage does what the directory does: it declares the dead and chooses voters;
// and what one of two voters does when the other one has gone.
func (s *replicaSim) manage() {
	for _, n := range s.all() {
		if n.p == nil {
			continue
		}
		if !n.p.leads() {
			other, ifSilent, ifGone := n.p.partner()
			_, lives := s.nodes[other]
			m := n.p.state.byNonce(other)
			// Whoever of two is dead here has booted again. The one that remains
			// asks whether it has been declared dead, and in a real rack may
			// fail to hear it: see the package's caveats.
			if ifGone && !lives && s.dead(n.id) {
				delete(s.nodes, n.id)
				continue
			}
			if ifSilent && n.silent[other] > deathTicks || ifGone && !lives && m != nil {
				n.p = n.p.goOn()
				n.group, n.applied = n.p.group, 0
				s.work(n)
			}
			continue
		}
		able := func(m *MemberRecord) bool { return n.silent[m.Nonce] < deathTicks }
		for _, m := range n.p.state.Members {
			if m.Nonce != n.id && !able(&m) {
				s.propose(n, command{directoryMessage: directoryMessage{Op: opDead, ID: m.ID}})
			}
		}
		gone := func(id uint64) bool { m := n.p.state.byNonce(id); return m == nil || !able(m) }
		n.p.configure(chooseVoters(&n.p.state.View, n.p.conf.Voters, n.id, able), gone)
		s.work(n)
	}
}

// dead reports whether somebody knows that an incarnation has been declared dead.
func (s *replicaSim) dead(id uint64) bool {
	for _, n := range s.nodes {
		if n.p != nil && slices.ContainsFunc(n.p.state.Gone, func(m MemberRecord) bool { return m.Nonce == id }) {
			return true
		}
	}
	return false
}

// hear stands for the pings between members of which the directory takes note.
func (s *replicaSim) hear() {
	for _, a := range s.all() {
		for _, b := range s.all() {
			if a.side == b.side {
				a.silent[b.id] = 0
			}
		}
	}
}

// atPeace reports whether somebody leads, the dead are no members, and all who
// vote have what has been decided.
func (s *replicaSim) atPeace() bool {
	l := s.leader()
	if l == nil {
		return false
	}
	for _, m := range l.p.state.Members {
		if n := s.nodes[m.Nonce]; n == nil || l.p.votes(n.id) && (n.p == nil || n.applied != l.applied || n.group != l.group) {
			return false
		}
	}
	return true
}

// survives reports whether most of those who vote are left when a machine dies,
// or one of two is whose partner's machine boots again.
// One dies at a time: nobody may be cut off or dead already without that having
// been seen to.
func (s *replicaSim) survives(id uint64, boots bool) bool {
	l := s.leader()
	for _, m := range l.p.state.Members {
		if n := s.nodes[m.Nonce]; n == nil || n.side != l.side || l.silent[m.Nonce] > 10 {
			return false
		}
	}
	for _, n := range s.all() {
		if n.p == nil {
			continue
		}
		if len(n.p.conf.Voters) == 2 && !n.p.state.settled || slices.ContainsFunc(n.p.undecided(), func(e pb.Entry) bool { return e.Type != pb.EntryNormal }) {
			return false
		}
		if _, _, ifGone := n.p.partner(); boots && ifGone && n.id != id {
			continue
		}
		set, alive := n.p.conf.Voters, 0
		for _, v := range set {
			if v != id && s.nodes[v] != nil {
				alive++
			}
		}
		if boots && n.id == id && len(set) == 2 && alive == 1 && len(n.p.undecided()) == 0 && s.twoCopies(n) {
			continue
		}
		if len(set) > 0 && 2*alive <= len(set) {
			return false
		}
	}
	return true
}

// twoCopies reports whether both of two that vote have what the one has decided.
func (s *replicaSim) twoCopies(n *simNode) bool {
	for _, id := range n.p.conf.Voters {
		if o := s.nodes[id]; o == nil || o.p == nil || o.group != n.group || o.applied < n.p.state.votersAt {
			return false
		}
	}
	return true
}
