package rack

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// View is what all members agree on: who is a member, who is the directory,
// and how far address space and numbers are used up. A view is a value; each
// change makes a new one with the next version. Of two views the one with the
// higher epoch, then the higher version, is newer.
type View struct {
	Rack      uint64 // number of the rack, random, for its whole life
	Epoch     uint64 // of the directory that proposed it: its fencing epoch
	Version   uint64
	Directory MachineID
	Members   []MemberRecord // by ID
	Gone      []MemberRecord // incarnations that have died or left, the last maxGone
	NextID    MachineID      // no incarnation has had this ID or a higher one
	Leased    uint64         // bytes of the heap area that may have been leased
}

// MemberRecord is one incarnation of a machine.
type MemberRecord struct {
	ID       MachineID
	Nonce    uint64 // random number of the incarnation
	MAC      macAddr
	IP       netip.Addr
	Draining bool `json:",omitempty"`
	Left     bool `json:",omitempty"` // in Gone: it has left, it did not die
}

const maxGone = 256

// change is a command to the directory that makes a view out of a view. Exactly
// one of the fields Add, Remove, Drain, Lease and Epoch is set.
type change struct {
	Add    *MemberRecord // its ID is chosen
	Remove MachineID     // it has died, or, with Leave, has left
	Leave  bool
	Drain  MachineID
	Lease  uint64    // raise Leased by so much
	Epoch  uint64    // a new one
	Lead   MachineID // with Epoch: the new directory, 0 for none
}

var errNoChange = errors.New("rack: the view says so already")

// apply returns the view after c; v is not altered.
func (v View) apply(c change) (View, error) {
	n := v
	n.Version++
	n.Members = slices.Clone(v.Members)
	n.Gone = slices.Clone(v.Gone)
	switch {
	case c.Add != nil:
		m := *c.Add
		if i := slices.IndexFunc(n.Members, func(o MemberRecord) bool { return o.Nonce == m.Nonce }); i >= 0 {
			return v, errNoChange
		}
		if slices.ContainsFunc(n.Gone, func(o MemberRecord) bool { return o.Nonce == m.Nonce }) {
			return v, ErrFenced
		}
		m.ID, m.Draining, m.Left = n.NextID, false, false
		n.NextID++
		n.Members = append(n.Members, m)
	case c.Remove != 0:
		i := n.index(c.Remove)
		if i < 0 {
			return v, errNoChange
		}
		m := n.Members[i]
		m.Left = c.Leave
		n.Members = slices.Delete(n.Members, i, i+1)
		n.Gone = append(n.Gone, m)
		n.Gone = n.Gone[max(len(n.Gone)-maxGone, 0):]
	case c.Drain != 0:
		i := n.index(c.Drain)
		if i < 0 || n.Members[i].Draining {
			return v, errNoChange
		}
		n.Members[i].Draining = true
	case c.Lease != 0:
		n.Leased += c.Lease
	case c.Epoch != 0:
		if c.Epoch <= v.Epoch || c.Lead != 0 && n.index(c.Lead) < 0 {
			return v, fmt.Errorf("rack: machine %d cannot lead in epoch %d", c.Lead, c.Epoch)
		}
		n.Directory, n.Epoch = c.Lead, c.Epoch
	}
	return n, nil
}

func (v *View) index(id MachineID) int {
	i, ok := slices.BinarySearchFunc(v.Members, id, func(m MemberRecord, id MachineID) int { return cmp.Compare(m.ID, id) })
	if !ok {
		return -1
	}
	return i
}

// member returns the record of a member, nil if it is none.
func (v *View) member(id MachineID) *MemberRecord {
	if i := v.index(id); i >= 0 {
		return &v.Members[i]
	}
	return nil
}

// byNonce returns the member with that nonce, nil if there is none.
func (v *View) byNonce(nonce uint64) *MemberRecord {
	for i := range v.Members {
		if v.Members[i].Nonce == nonce {
			return &v.Members[i]
		}
	}
	return nil
}

// wasHere returns the record of an incarnation that has gone.
func (v *View) wasHere(id MachineID) *MemberRecord {
	for i := range v.Gone {
		if v.Gone[i].ID == id {
			return &v.Gone[i]
		}
	}
	return nil
}

// left reports whether the incarnation with that nonce has left.
func (v *View) left(nonce uint64) bool {
	return slices.ContainsFunc(v.Gone, func(m MemberRecord) bool { return m.Nonce == nonce && m.Left })
}

// newer reports whether v is newer than o.
func (v *View) newer(o *View) bool {
	return v.Epoch > o.Epoch || v.Epoch == o.Epoch && v.Version > o.Version
}

// quorum reports whether the members that agree are enough to decide for v.
//
// More than half is enough: two such sets have a member in common, which knows
// what the first decided. Half is enough if one of the others is in gone, that
// is, its machine has booted again since: then the other half can never agree
// again, and this half has a member in common with each that decided before.
// Of two machines, the one that tie names (a nonce, 0 for neither) is enough.
// A view without members, after the last has left, needs nobody.
func (v *View) quorum(agree, gone map[uint64]bool, tie uint64) bool {
	yes, broken := 0, false
	for _, m := range v.Members {
		switch {
		case agree[m.Nonce]:
			yes++
		case gone[m.Nonce]:
			broken = true
		}
	}
	n := len(v.Members)
	return n == 0 || 2*yes > n || 2*yes == n && (broken || n == 2 && agree[tie])
}

// acceptor is a machine's part in deciding on views. It is a pure state
// machine. Views are decided like values of Paxos: a candidate first collects
// promises for a new epoch from a quorum, and learns from them the newest view
// that may have been decided; then it proposes newer ones.
type acceptor struct {
	promised uint64 // views of a lower epoch are not accepted
	accepted View   // the newest accepted
}

// prepare answers a candidate that asks for a promise.
func (a *acceptor) prepare(epoch uint64) bool {
	if epoch <= a.promised {
		return false
	}
	a.promised = epoch
	return true
}

// accept answers a directory that proposes a view.
func (a *acceptor) accept(v *View) bool {
	if v.Epoch < a.promised {
		return false
	}
	a.promised = v.Epoch
	if v.newer(&a.accepted) {
		a.accepted = *v
	}
	return true
}
