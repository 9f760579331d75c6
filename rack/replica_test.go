package rack

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/cryptotest"

	pb "go.etcd.io/raft/v3/raftpb"
)

// TestReplicas lets replicas crash, boot, be cut off and come back, from seeds,
// and checks that nothing that was decided changes, and that those who remain go
// on.
func TestReplicas(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("%#x", seed), func(t *testing.T) { runReplicas(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func runReplicas(t *testing.T, seed uint64) {
	cryptotest.SetGlobalRandom(t, seed) // Raft's own dice
	n := 1 + rand.New(rand.NewPCG(seed, 2)).IntN(7)
	s := newReplicaSim(t, seed, n)
	s.loss = .2 * s.dice.Float64()
	machines, events := n, 0
	type joining struct {
		id  uint64
		mac macAddr
	}
	var joiners []joining
	for s.now < 500 && !t.Failed() {
		s.step()
		if s.now%5 == 0 {
			s.hear()
			s.manage()
		}
		l := s.leader()
		if l == nil {
			continue
		}
		if s.now%3 == 0 {
			name := fmt.Sprint("name", s.dice.IntN(20))
			members := l.p.state.Members
			from := members[s.dice.IntN(len(members))].ID
			switch s.dice.IntN(3) {
			case 0:
				s.propose(l, command{directoryMessage: directoryMessage{Op: opLease, Size: leaseUnit << s.dice.IntN(3)}, From: from})
			case 1:
				s.propose(l, command{directoryMessage: directoryMessage{Op: opBind, Name: name, Value: fmt.Append(nil, s.now)}, From: from})
			case 2:
				at := Location{from, uint64(s.now)}
				s.propose(l, command{directoryMessage: directoryMessage{Op: opPublish, Locations: appendLocated(nil, located{id: s.dice.Uint64N(50), at: at})}, From: from})
			}
		}
		for _, j := range joiners {
			if s.nodes[j.id] != nil && l.p.state.byNonce(j.id) == nil && s.now%10 == 0 {
				s.propose(l, command{directoryMessage: directoryMessage{Op: opJoin, Build: "build", Member: &MemberRecord{Nonce: j.id, MAC: j.mac}}})
			}
		}
		if s.dice.IntN(20) != 0 {
			continue
		}
		events++
		members := l.p.state.Members
		victim := members[s.dice.IntN(len(members))]
		switch what := s.dice.IntN(5); {
		case what == 0 && s.survives(victim.Nonce, false): // it dies
			delete(s.nodes, victim.Nonce)
		case what == 1 && s.survives(victim.Nonce, true): // it boots again
			delete(s.nodes, victim.Nonce)
			joiners = append(joiners, joining{s.start().id, victim.MAC})
		case what == 2 && len(s.nodes) < 9:
			machines++
			joiners = append(joiners, joining{s.start().id, simMAC(machines)})
		case what == 3:
			for _, n := range s.all() {
				n.side = s.dice.IntN(4) / 3
			}
		default:
			for _, n := range s.all() {
				n.side = 0
			}
		}
	}
	for _, n := range s.all() {
		n.side = 0
	}
	s.loss = 0
	for range 1000 {
		s.step()
		if s.now%5 == 0 {
			s.hear()
			s.manage()
		}
		if s.now > 700 && s.atPeace() {
			break
		}
	}
	if !s.atPeace() {
		t.Error("those who are left do not agree")
		for _, n := range s.all() {
			if n.p != nil {
				t.Logf("machine %d: group %d, voters %v, %v, %v", n.id, n.group, n.p.conf.Voters, n.p.raw.BasicStatus(), n.p.state.View)
			}
		}
	}
	t.Logf("%d machines, %d events, %d decided, %d epochs, %d incarnations", n, events, s.acks, len(s.epochs), s.serial)
}

// TestVoteOfAnIdleReplica: the leader dies while those who are left need the vote
// of a machine that believes it has none, and that has just heard the leader.
func TestVoteOfAnIdleReplica(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	never := func(uint64) bool { return false }
	begin := func(t *testing.T, n int) (s *replicaSim, l *simNode, others []*simNode) {
		cryptotest.SetGlobalRandom(t, seed)
		s = newReplicaSim(t, seed, n)
		s.until("a leader", func() bool { l = s.leader(); return l != nil })
		others = slices.DeleteFunc(s.all(), func(n *simNode) bool { return n == l })
		return s, l, others
	}
	ends := func(t *testing.T, s *replicaSim, l, idle *simNode) {
		t.Helper()
		if idle.p.votes(idle.id) || idle.p.raw.BasicStatus().Lead != l.id {
			t.Fatalf("machine %d: voters %v, %v", idle.id, idle.p.conf.Voters, idle.p.raw.BasicStatus())
		}
		delete(s.nodes, l.id)
		s.drops = nil
		s.until("another leader", func() bool { return s.leader() != nil })
	}
	t.Run("before it knows that it votes", func(t *testing.T) {
		s, l, others := begin(t, 2)
		x := s.start()
		s.drops = func(m *pb.Message) bool { return m.To == x.id && m.Type != pb.MsgHeartbeat }
		if !l.p.configure([]uint64{l.id, others[0].id, x.id}, never) {
			t.Fatal("no voter is added")
		}
		s.until("a third voter", func() bool { return others[0].p.votes(x.id) && x.p != nil })
		ends(t, s, l, x)
	})
	t.Run("before others know that it votes no more", func(t *testing.T) {
		s, l, others := begin(t, 3)
		a, b, x := others[0], others[1], s.start()
		want := []uint64{l.id, a.id, b.id}
		if !l.p.configure(append(want, x.id), never) {
			t.Fatal("no voter is added")
		}
		s.until("a fourth voter", func() bool {
			return a.p.votes(x.id) && b.p.votes(x.id) && x.p != nil && x.p.votes(x.id) && x.applied == l.applied
		})
		last := l.applied
		s.drops = func(m *pb.Message) bool { return m.To == b.id || m.To == a.id && m.Commit > last }
		if !l.p.configure(want, never) {
			t.Fatal("no voter is removed")
		}
		s.until("three voters again", func() bool { return !x.p.votes(x.id) })
		if !a.p.votes(x.id) || !b.p.votes(x.id) {
			t.Fatalf("voters are %v and %v", a.p.conf.Voters, b.p.conf.Voters)
		}
		ends(t, s, l, x)
	})
}
