package rack

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"

	"nuos/mm"
)

// state is what the directory knows. It is a pure state machine: commands in,
// answers out, no clock, no network, no locks; the same commands give the same
// state on every machine that keeps a copy (replica.go).
type state struct {
	View
	names     map[string][]byte
	leases    []lease
	leased    uint64 // bytes of the heap area handed out or skipped
	locations map[uint64]Location

	// Who votes is Raft's to say. That all who vote know it is said here.
	votersAt uint64 // index of the entry that has changed who votes last
	settled  bool   // all who vote have heard that it was decided
}

// lease is a part of the heap area that one incarnation divides as it likes.
type lease struct {
	Range   mm.Range
	Machine MachineID
}

// leaseUnit is what leases are multiples of, and so aligned to.
const leaseUnit = 1 << 30

// command is an entry of the log.
type command struct {
	directoryMessage
	From     MachineID `json:",omitempty"` // who asks
	Epoch    uint64    `json:",omitempty"` // opLead
	VotersAt uint64    `json:",omitempty"` // opSettled
	Origin   uint64    `json:",omitempty"` // nonce of the machine that proposed it
	Serial   uint64    `json:",omitempty"` // of the proposal, there
}

func newState(v *View) state {
	return state{View: *v, names: map[string][]byte{}, locations: map[uint64]Location{}}
}

// apply executes a command. All commands may be repeated: a machine that gets no
// answer cannot know whether its command was executed.
func (s *state) apply(c *command) (a directoryAnswer, err error) {
	v := &s.View
	switch c.Op {
	case opLead:
		v.lead(c.ID, c.Epoch)
	case opJoin:
		if c.Build != v.Build {
			return a, fmt.Errorf("%w: the rack runs build %.12s..., the machine %.12s...", ErrRefused, v.Build, c.Build)
		}
		if _, err := v.add(*c.Member); err != nil {
			return a, err
		}
		joined := *v
		a.View = &joined
	case opDead:
		v.remove(c.ID, false)
	case opLeave:
		v.remove(c.ID, true)
	case opLeaving:
		v.mark(c.ID, func(m *MemberRecord) *bool { return &m.Leaving })
	case opDrain:
		v.mark(c.ID, func(m *MemberRecord) *bool { return &m.Draining })
	case opLease:
		a.Lease, err = s.lease(c.From, c.Size)
	case opBind:
		if _, bound := s.names[c.Name]; !bound {
			s.names[c.Name] = c.Value
		}
		a.Value, a.Found = s.names[c.Name], true
	case opSettled:
		s.settled = s.settled || c.VotersAt == s.votersAt
	case opPublish:
		s.publish(parseLocated(c.Locations))
	default:
		err = ErrParameter
	}
	return a, err
}

// lease hands out size bytes, aligned to their size, a power of two of at
// least leaseUnit. Nothing is ever handed out again.
func (s *state) lease(to MachineID, size uint64) (lease, error) {
	if size < leaseUnit || size&(size-1) != 0 {
		return lease{}, fmt.Errorf("%w: lease of %d bytes", ErrParameter, size)
	}
	if s.View.member(to) == nil {
		return lease{}, ErrFenced
	}
	at := (s.leased + size - 1) &^ (size - 1)
	if size > mm.HeapArea.Size || at > mm.HeapArea.Size-size {
		return lease{}, ErrNoAddresses
	}
	s.leased = at + size
	l := lease{mm.Range{Base: mm.HeapArea.Base + mm.Virt(at), Size: size}, to}
	s.leases = append(s.leases, l)
	return l, nil
}

// publish takes locations; of two for the same proclet the one with more moves
// stays. To forget a location is to forget the earlier ones as well.
func (s *state) publish(batch []located) {
	for _, l := range batch {
		old, known := s.locations[l.id]
		switch {
		case l.forget:
			if known && old.Moves <= l.at.Moves {
				delete(s.locations, l.id)
			}
		case !known || l.at.Moves > old.Moves || l.at.Moves == old.Moves && old.Machine == l.at.Machine:
			s.locations[l.id] = l.at
		}
	}
}

// stateCopy is a state as it travels to a machine that gets a copy.
type stateCopy struct {
	View      View
	Names     map[string][]byte
	Leases    []lease
	Leased    uint64
	Locations []byte
	VotersAt  uint64
	Settled   bool
}

func (s *state) encode() ([]byte, error) {
	locations := make([]byte, 0, len(s.locations)*locatedLen)
	for id, at := range s.locations {
		locations = appendLocated(locations, located{id: id, at: at})
	}
	return json.Marshal(stateCopy{s.View, s.names, s.leases, s.leased, locations, s.votersAt, s.settled})
}

func decodeState(b []byte) (state, error) {
	var in stateCopy
	if err := json.Unmarshal(b, &in); err != nil {
		return state{}, err
	}
	s := newState(&in.View)
	maps.Copy(s.names, in.Names)
	s.leases, s.leased = in.Leases, in.Leased
	s.votersAt, s.settled = in.VotersAt, in.Settled
	s.publish(parseLocated(in.Locations))
	return s, nil
}

// located is a location as it travels: id 8, moves 8, machine 4, forget 4.
type located struct {
	id     uint64
	at     Location
	forget bool
}

const locatedLen = 24

func appendLocated(b []byte, l located) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(b, l.id)
	b = le.AppendUint64(b, l.at.Moves)
	b = le.AppendUint32(b, uint32(l.at.Machine))
	var forget uint32
	if l.forget {
		forget = 1
	}
	return le.AppendUint32(b, forget)
}

func parseLocated(b []byte) []located {
	le := binary.LittleEndian
	list := make([]located, 0, len(b)/locatedLen)
	for ; len(b) >= locatedLen; b = b[locatedLen:] {
		list = append(list, located{
			id:     le.Uint64(b),
			at:     Location{MachineID(le.Uint32(b[16:])), le.Uint64(b[8:])},
			forget: le.Uint32(b[20:]) != 0,
		})
	}
	return list
}
