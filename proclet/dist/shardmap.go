package dist

import (
	"fmt"

	"nuos/proclet"
)

// A place is where an element belongs in a structure: the hash of its key, its
// index, or its number in a queue. Each shard holds a range of places.
const endOfPlaces = uint64(1) << 63

// shardMap is the state of the proclet that a handle refers to: it knows which
// shard holds which places. It is asked only by those who have found a place not
// to be where they thought.
//
// It never calls a shard, so shards may call it whatever they are doing.
type shardMap[S any] struct {
	mu     proclet.Mutex
	shards proclet.OrderedMap[uint64, mapped[S]] // by their first places
}

// mapped is a shard in a shardMap. It holds the places from its first one to that
// of the next shard.
type mapped[S any] struct {
	ref  proclet.Ref[S]
	busy bool // it splits, merges, or is merged with
}

// extent is a range of places and the shard that holds it.
type extent struct {
	low, high uint64
	shard     proclet.ID
}

type founding[S any] struct {
	low   uint64
	shard proclet.Ref[S]
}

// found adds one of the first shards of a structure.
func (m *shardMap[S]) found(t *proclet.Thread, f founding[S]) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	return struct{}{}, m.shards.Put(t, f.low, mapped[S]{ref: f.shard})
}

type listing struct {
	from  uint64 // the first place of interest
	limit int
}

// list returns up to limit shards, from that on which holds the place from, in
// order. The first shard of all counts as if it began with place 0.
func (m *shardMap[S]) list(t *proclet.Thread, l listing) (all []extent, err error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	first := uint64(0)
	if low, _ := m.shards.Floor(l.from); low != nil && m.left(*low) != nil {
		first = *low
	}
	for low, s := range m.shards.From(first) {
		e := extent{*low, endOfPlaces, s.ref.ID()}
		if len(all) == 0 {
			e.low = first
		} else {
			all[len(all)-1].high = *low
		}
		if len(all) == l.limit {
			break
		}
		all = append(all, e)
	}
	return all, nil
}

// at returns the shard that starts at low.
func (m *shardMap[S]) at(low uint64) (*mapped[S], error) {
	if s := m.shards.Get(low); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("dist: no shard starts at place %#x", low)
}

// left returns the left neighbour of the shard that starts at low, or nil.
func (m *shardMap[S]) left(low uint64) *mapped[S] {
	if low == 0 {
		return nil
	}
	_, s := m.shards.Floor(low - 1)
	return s
}

// begin sets the shard that starts at low aside for a change. It reports whether
// nothing else is going on with it.
func (m *shardMap[S]) begin(t *proclet.Thread, low uint64) (bool, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	s, err := m.at(low)
	if err != nil || s.busy {
		return false, err
	}
	s.busy = true
	return true, nil
}

// beginWithLeft is begin for a shard and its left neighbour, which it returns. The
// zero ID means that one of them is busy, or that there is none.
func (m *shardMap[S]) beginWithLeft(t *proclet.Thread, low uint64) (proclet.ID, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	s, err := m.at(low)
	left := m.left(low)
	if err != nil || s.busy || left == nil || left.busy {
		return proclet.ID{}, err
	}
	s.busy, left.busy = true, true
	return left.ref.ID(), nil
}

type ending struct {
	low      uint64
	withLeft bool
}

// cancel ends what begin or beginWithLeft began. Nothing has changed.
func (m *shardMap[S]) cancel(t *proclet.Thread, e ending) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	s, err := m.at(e.low)
	if err != nil {
		return struct{}{}, err
	}
	s.busy = false
	if e.withLeft {
		m.left(e.low).busy = false
	}
	return struct{}{}, nil
}

type insertion[S any] struct {
	low, mid uint64
	shard    proclet.Ref[S]
}

// insert ends what begin began for the shard that starts at low: its places from
// mid on are another shard's.
func (m *shardMap[S]) insert(t *proclet.Thread, in insertion[S]) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	if err := m.shards.Put(t, in.mid, mapped[S]{ref: in.shard}); err != nil {
		return struct{}{}, err
	}
	s, err := m.at(in.low)
	if err == nil {
		s.busy = false
	}
	return struct{}{}, err
}

// remove ends what begin or beginWithLeft began: the places of the shard that
// starts at low are its left neighbour's, or, if it has none, nobody's. With that
// the shard is held by nobody any more.
func (m *shardMap[S]) remove(t *proclet.Thread, low uint64) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	if left := m.left(low); left != nil {
		left.busy = false
	}
	m.shards.Delete(t, low)
	return struct{}{}, nil
}
