package rack

import (
	"cmp"
	"net/netip"
	"slices"
)

// View is what all members know of the directory's state: who is a member and
// who leads the directory. A view is a value; each change makes a new one with
// the next version. Of two views the one with the higher epoch, then the higher
// version, is newer.
type View struct {
	Rack      uint64 // number of the rack, random, for its whole life
	Build     string // that all members run
	Epoch     uint64 // fencing epoch: rises with every leader of the directory
	Version   uint64
	Directory MachineID      // the directory's leader
	Members   []MemberRecord // by ID
	Gone      []MemberRecord // incarnations that have died or left, the last maxGone
	NextID    MachineID      // no incarnation has had this ID or a higher one
}

// MemberRecord is one incarnation of a machine.
type MemberRecord struct {
	ID       MachineID
	Nonce    uint64 // random number of the incarnation
	MAC      macAddr
	IP       netip.Addr
	Draining bool `json:",omitempty"`
	Leaving  bool `json:",omitempty"` // it is about to: it gets no copy of the directory
	Left     bool `json:",omitempty"` // in Gone: it has left, it did not die
}

const maxGone = 256

// What the first view of a rack has. The first leader begins a later epoch.
const (
	foundingVersion = 1
	foundingEpoch   = 1
)

// add makes a machine a member. Its former incarnations, if they still are, are
// dead: a machine runs one at a time. It reports whether that is a change.
func (v *View) add(m MemberRecord) (bool, error) {
	if v.byNonce(m.Nonce) != nil {
		return false, nil
	}
	if slices.ContainsFunc(v.Gone, func(o MemberRecord) bool { return o.Nonce == m.Nonce }) {
		return false, ErrFenced
	}
	for _, o := range v.Members {
		if o.MAC == m.MAC {
			v.remove(o.ID, false)
		}
	}
	v.Members = append(slices.Clone(v.Members), MemberRecord{ID: v.NextID, Nonce: m.Nonce, MAC: m.MAC, IP: m.IP})
	v.NextID++
	v.Version++
	return true, nil
}

// remove takes a member out, which has left or died.
func (v *View) remove(id MachineID, left bool) bool {
	i := v.index(id)
	if i < 0 {
		return false
	}
	m := v.Members[i]
	m.Left = left
	v.Members = slices.Delete(slices.Clone(v.Members), i, i+1)
	v.Gone = append(slices.Clone(v.Gone), m)
	v.Gone = v.Gone[max(len(v.Gone)-maxGone, 0):]
	v.Version++
	return true
}

// mark sets one of a member's flags.
func (v *View) mark(id MachineID, flag func(*MemberRecord) *bool) bool {
	i := v.index(id)
	if i < 0 || *flag(&v.Members[i]) {
		return false
	}
	v.Members = slices.Clone(v.Members)
	*flag(&v.Members[i]) = true
	v.Version++
	return true
}

// lead begins the epoch of a new leader.
func (v *View) lead(id MachineID, epoch uint64) bool {
	if epoch <= v.Epoch || v.index(id) < 0 {
		return false
	}
	v.Epoch, v.Directory = epoch, id
	v.Version++
	return true
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
