package rack

import (
	"encoding/json"
	"io"
	"log"
	"math"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// replica is a machine's copy of the directory's state: a node of Raft (Ongaro
// and Ousterhout, "In Search of an Understandable Consensus Algorithm") around
// it. It has no clock, no network and no locks: it is ticked, stepped with
// messages, and has others to send.
//
// A machine has no disk. So a node's identity is the nonce of an incarnation,
// which never comes back after a crash, and an incarnation keeps its replica
// for life, even if it votes no longer: a vote that was given is never
// forgotten. Only a replica of a later group replaces it.
//
// Groups are numbered. Two voters cannot decide anything when one of them has
// gone; then the other one alone goes on in the next group (goOn), and what the
// former group says does not count any more.
type replica struct {
	id    uint64 // of the node: nonce of the incarnation
	group uint64

	raw     *raft.RawNode
	log     *raft.MemoryStorage
	conf    pb.ConfState // as far as the log has been applied
	applied uint64
	state   state

	led     map[uint64]bool // terms in which it was elected
	term    uint64
	quiet   int    // ticks since the last message
	changes uint64 // of the view and of who votes

	changing uint64 // who is to begin or to cease to vote; 0: nobody
	settling uint64 // the change of voters about which opSettled is under way
	serial   uint64 // of the last proposal
	waiting  map[uint64]chan<- decision
	done     []func() // what to tell those who wait

	logged int    // bytes appended since the log was cut
	cut    uint64 // up to where it is cut next
}

// decision is what came of a proposal.
type decision struct {
	answer directoryAnswer
	err    error
}

// Timing of elections, in ticks. A leader that is silent for electionTicks, and
// up to as many more, is replaced; one that hears no majority for as long steps
// down.
const (
	electionTicks  = 5
	heartbeatTicks = 2
)

// How much of the log is kept for replicas that are behind, at least; those
// that miss more get a snapshot.
const (
	keepEntries = 2048
	keepBytes   = 4 << 20
)

// newReplica makes a replica that knows nothing: a leader brings it up to date.
func newReplica(id, group uint64) *replica {
	return startReplica(id, group, newState(&View{}), pb.Snapshot{}, pb.HardState{})
}

// foundReplica makes one of the first replicas of a rack.
func foundReplica(id uint64, founding *View) *replica {
	s := pb.Snapshot{Metadata: pb.SnapshotMetadata{
		ConfState: pb.ConfState{Voters: chooseVoters(founding, nil, founding.member(founding.Directory).Nonce, nil)},
		Index:     1, Term: founding.Epoch,
	}}
	st := newState(founding)
	st.settled = true
	return startReplica(id, 1, st, s, pb.HardState{Term: founding.Epoch, Commit: 1})
}

func startReplica(id, group uint64, s state, at pb.Snapshot, hard pb.HardState) *replica {
	p := &replica{
		id: id, group: group, state: s, log: raft.NewMemoryStorage(),
		conf: at.Metadata.ConfState, applied: at.Metadata.Index, cut: at.Metadata.Index,
		led: map[uint64]bool{}, waiting: map[uint64]chan<- decision{},
	}
	if p.applied > 0 {
		must(p.log.ApplySnapshot(at))
		must(p.log.SetHardState(hard))
	}
	var err error
	p.raw, err = raft.NewRawNode(&raft.Config{
		ID: id, ElectionTick: electionTicks, HeartbeatTick: heartbeatTicks,
		Storage: replicaLog{p.log, p}, Applied: p.applied,
		MaxSizePerMsg: 512 << 10, MaxInflightMsgs: 64, MaxUncommittedEntriesSize: 32 << 20,
		CheckQuorum: true, PreVote: true, DisableProposalForwarding: true, StepDownOnRemoval: true,
		Logger: &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)},
	})
	must(err)
	return p
}

// must is for errors that only a mistake in this file can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// replicaLog is the log, which makes a snapshot when one is wanted.
type replicaLog struct {
	*raft.MemoryStorage
	p *replica
}

// Snapshot returns the state as of the last entry applied.
func (l replicaLog) Snapshot() (s pb.Snapshot, err error) {
	s.Metadata = pb.SnapshotMetadata{ConfState: l.p.conf, Index: l.p.applied}
	if s.Metadata.Term, err = l.Term(l.p.applied); err != nil {
		return s, err
	}
	s.Data, err = l.p.state.encode()
	return s, err
}

// tick lets one unit of time pass.
func (p *replica) tick() {
	p.quiet++
	p.raw.Tick()
}

// step takes a message. One that does not fit the replica's state is dropped.
func (p *replica) step(m pb.Message) {
	p.quiet = 0
	_ = p.raw.Step(m)
}

// work does what is to be done after ticks, steps and proposals, and returns
// the messages to send. It never waits.
func (p *replica) work() (out []pb.Message) {
	for {
		for p.raw.HasReady() {
			rd := p.raw.Ready()
			p.restore(rd.Snapshot)
			if !raft.IsEmptyHardState(rd.HardState) {
				must(p.log.SetHardState(rd.HardState))
			}
			must(p.log.Append(rd.Entries))
			for i := range rd.Entries {
				p.logged += len(rd.Entries[i].Data)
			}
			out = append(out, rd.Messages...)
			for i := range rd.CommittedEntries {
				p.execute(&rd.CommittedEntries[i])
			}
			p.raw.Advance(rd)
		}
		p.compact()
		b := p.raw.BasicStatus()
		leads := b.RaftState == raft.StateLeader
		if !leads || b.Term != p.term {
			p.changing, p.settling = 0, 0
			p.failAll()
		}
		p.term = b.Term
		us, at := p.state.byNonce(p.id), p.state.votersAt
		switch {
		case leads && us != nil && !p.led[b.Term]:
			p.led[b.Term] = true
			p.propose(command{directoryMessage: directoryMessage{Op: opLead, ID: us.ID}, Epoch: b.Term}, nil)
		case len(p.conf.Voters) == 2 && !p.state.settled && p.settling != at && p.leads():
			p.settling = at
			p.propose(command{directoryMessage: directoryMessage{Op: opSettled}, VotersAt: at}, nil)
		default:
			return out
		}
	}
}

// restore takes a snapshot from the leader.
func (p *replica) restore(s pb.Snapshot) {
	if raft.IsEmptySnap(s) {
		return
	}
	st, err := decodeState(s.Data)
	must(err) // its checksum was right when it arrived
	must(p.log.ApplySnapshot(s))
	p.state, p.conf, p.applied, p.cut, p.logged = st, s.Metadata.ConfState, s.Metadata.Index, s.Metadata.Index, 0
}

// execute applies an entry that has been decided.
func (p *replica) execute(e *pb.Entry) {
	p.applied = e.Index
	switch {
	case e.Type == pb.EntryConfChangeV2:
		var c pb.ConfChangeV2
		must(c.Unmarshal(e.Data))
		p.conf = *p.raw.ApplyConfChange(c)
		// Before the second voter there was one, which knows.
		p.state.votersAt, p.state.settled = e.Index, len(p.conf.Voters) == 2 && c.Changes[0].Type == pb.ConfChangeAddNode
		p.changing = 0
		p.changes++
	case len(e.Data) == 0: // the first of a term, or what is left of a change of voters
		p.changing = 0
	default:
		c := parseCommand(e.Data)
		before := p.state.Version
		answer, err := p.state.apply(&c)
		if p.state.Version != before {
			p.changes++
		}
		if w := p.waiting[c.Serial]; w != nil && c.Origin == p.id {
			delete(p.waiting, c.Serial)
			p.done = append(p.done, func() { w <- decision{answer, err} })
		}
	}
}

func parseCommand(b []byte) (c command) {
	must(json.Unmarshal(b, &c))
	return c
}

// compact cuts the log when it has grown.
func (p *replica) compact() {
	if p.logged < keepBytes && p.applied-p.cut < keepEntries {
		return
	}
	if first, err := p.log.FirstIndex(); err == nil && p.cut >= first {
		must(p.log.Compact(p.cut))
	}
	p.cut, p.logged = p.applied, 0
}

// propose has a command decided; w, which has room for it, gets the decision.
// The answer may be lost, but not silently.
func (p *replica) propose(c command, w chan<- decision) {
	p.serial++
	c.Origin, c.Serial = p.id, p.serial
	b, err := json.Marshal(&c)
	if err == nil && p.raw.Propose(b) != nil {
		err = ErrNoDirectory
	}
	switch {
	case w == nil:
	case err != nil:
		w <- decision{err: err}
	default:
		p.waiting[c.Serial] = w
	}
}

// failAll answers those who wait for what this replica does not lead any more.
func (p *replica) failAll() {
	for serial, w := range p.waiting {
		delete(p.waiting, serial)
		p.done = append(p.done, func() { w <- decision{err: ErrNoDirectory} })
	}
}

// leads reports whether this machine is the directory: it has been elected, and
// has applied everything that was decided before.
func (p *replica) leads() bool {
	b := p.raw.BasicStatus()
	us := p.state.member(p.state.Directory)
	return b.RaftState == raft.StateLeader && p.state.Epoch == b.Term && us != nil && us.Nonce == p.id
}

// idle reports whether time makes no difference: nobody else votes, or this
// machine does not. But while others count on its vote, since it does not know
// yet that it votes or they that it has ceased to, it must give it when the
// leader has died: it refuses until electionTicks have passed since it heard one.
func (p *replica) idle() bool {
	if !p.votes(p.id) {
		return p.quiet >= electionTicks
	}
	return len(p.conf.Voters) == 1 && p.leads()
}

// votes reports whether a machine votes, or may do so soon.
func (p *replica) votes(id uint64) bool {
	return slices.Contains(p.conf.Voters, id) || p.changing == id
}

// configure begins the next step towards who should vote, if there is one to be
// made, and reports whether it has. One step is made at a time: the loss of a
// machine is survived between any two. Who has gone is taken out before anybody
// is added, who stays afterwards.
func (p *replica) configure(want []uint64, gone func(id uint64) bool) bool {
	if !p.leads() || p.changing != 0 {
		return false
	}
	c := pb.ConfChangeSingle{Type: pb.ConfChangeRemoveNode}
	first := func(in, notIn []uint64, also func(uint64) bool) bool {
		for _, id := range in {
			if !slices.Contains(notIn, id) && (also == nil || also(id)) {
				c.NodeID = id
				return true
			}
		}
		return false
	}
	switch {
	case first(p.conf.Voters, want, gone):
	case first(want, p.conf.Voters, nil):
		c.Type = pb.ConfChangeAddNode
	case first(p.conf.Voters, want, nil):
	default:
		return false
	}
	if p.raw.ProposeConfChange(pb.ConfChangeV2{Changes: []pb.ConfChangeSingle{c}}) != nil {
		return false
	}
	p.changing = c.NodeID
	return true
}

// handOver has another machine lead that votes and stays, if there is one.
func (p *replica) handOver(v *View) {
	for _, m := range v.Members {
		if m.Nonce != p.id && !m.Leaving && slices.Contains(p.conf.Voters, m.Nonce) {
			p.raw.TransferLeader(m.Nonce)
			return
		}
	}
}

// partner returns the other voter if exactly two vote, this machine and another,
// and what this machine may do about it, so that no two go on without each other
// and nothing that was decided is lost.
//
// Both must know that no third one votes (opSettled): one that does not know yet
// can be elected by the third one, and decide with it. Then it may go on when the
// other one is silent if it was the directory and nobody else can have decided
// anything since: it would have entries of his then. It may go on when the other
// one has certainly gone if who votes is not about to change.
func (p *replica) partner() (other uint64, ifSilent, ifGone bool) {
	i := slices.Index(p.conf.Voters, p.id)
	if i < 0 || len(p.conf.Voters) != 2 || !p.state.settled {
		return 0, false, false
	}
	d := p.state.member(p.state.Directory)
	ifSilent, ifGone = d != nil && d.Nonce == p.id, true
	for _, e := range p.undecided() {
		ifSilent = ifSilent && p.led[e.Term]
		ifGone = ifGone && e.Type == pb.EntryNormal
	}
	return p.conf.Voters[1-i], ifSilent, ifGone
}

// undecided returns the entries of the log that are not known to be decided.
func (p *replica) undecided() []pb.Entry {
	last, err := p.log.LastIndex()
	must(err)
	if last <= p.applied {
		return nil
	}
	rest, err := p.log.Entries(p.applied+1, last+1, math.MaxUint64)
	must(err)
	return rest
}

// goOn returns the replica with which this machine, one of two voters, goes on
// without the other. It has all that may have been decided: that is in its own
// log, since both had to agree.
func (p *replica) goOn() *replica {
	last := p.applied
	for _, e := range p.undecided() {
		last = e.Index
		if e.Type == pb.EntryNormal && len(e.Data) > 0 {
			c := parseCommand(e.Data)
			_, _ = p.state.apply(&c) // nobody waits for the answer any more
		}
	}
	p.failAll()
	term := p.raw.BasicStatus().Term + 1
	at := pb.Snapshot{Metadata: pb.SnapshotMetadata{ConfState: pb.ConfState{Voters: []uint64{p.id}}, Index: last + 1, Term: term}}
	p.state.votersAt, p.state.settled = last+1, false
	n := startReplica(p.id, p.group+1, p.state, at, pb.HardState{Term: term, Commit: last + 1})
	n.serial, n.done = p.serial, p.done
	must(n.raw.Campaign())
	return n
}
