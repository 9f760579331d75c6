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
	mu      proclet.Mutex
	options Options
	closed  bool
	lows    proclet.Slice[uint64] // the first places of the shards, in order
	shards  proclet.Map[uint64, mapped[S]]
}

// mapped is a shard in a shardMap. It holds the places from its low to the next
// one.
type mapped[S any] struct {
	ref  proclet.Ref[S]
	busy bool // it splits, merges, or is merged with
}

// extent is a range of places and the shard that holds it.
type extent struct {
	low, high uint64
	shard     proclet.ID
}

// founding is the first shards of a structure, in order.
type founding[S any] struct {
	options Options
	closed  bool
	lows    []uint64
	shards  []proclet.Ref[S]
}

func (m *shardMap[S]) found(t *proclet.Thread, f founding[S]) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	m.options = f.options
	for i, low := range f.lows {
		if err := m.put(t, i, low, f.shards[i]); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

// put makes a shard that starts at low the one with index i.
func (m *shardMap[S]) put(t *proclet.Thread, i int, low uint64, ref proclet.Ref[S]) error {
	if err := m.shards.Put(t, low, mapped[S]{ref: ref}); err != nil {
		return err
	}
	if err := m.lows.Append(t, 0); err != nil {
		m.shards.Delete(t, low)
		return err
	}
	for j := m.lows.Len() - 1; j > i; j-- {
		*m.lows.At(j) = *m.lows.At(j - 1)
	}
	*m.lows.At(i) = low
	return nil
}

// drop takes the shard with index i out.
func (m *shardMap[S]) drop(t *proclet.Thread, i int) {
	m.shards.Delete(t, *m.lows.At(i))
	for j := i + 1; j < m.lows.Len(); j++ {
		*m.lows.At(j - 1) = *m.lows.At(j)
	}
	m.lows.Truncate(t, m.lows.Len()-1)
}

// find returns the index of the shard that holds a place. A place before the
// first shard's counts as that one's.
func (m *shardMap[S]) find(place uint64) int {
	i, j := 0, m.lows.Len()-1
	for i < j {
		if mid := (i + j + 1) / 2; *m.lows.At(mid) <= place {
			i = mid
		} else {
			j = mid - 1
		}
	}
	return i
}

// at returns the shard that starts at low and its index.
func (m *shardMap[S]) at(low uint64) (*mapped[S], int, error) {
	s := m.shards.Get(low)
	if s == nil {
		return nil, 0, fmt.Errorf("dist: no shard starts at place %#x", low)
	}
	return s, m.find(low), nil
}

func (m *shardMap[S]) nth(i int) *mapped[S] { return m.shards.Get(*m.lows.At(i)) }

type listing struct {
	from  uint64 // the first place of interest
	limit int
}

// list returns up to limit shards, from that on which holds the place from, in
// order.
func (m *shardMap[S]) list(t *proclet.Thread, l listing) ([]extent, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	first := m.find(l.from)
	all := make([]extent, 0, max(0, min(l.limit, m.lows.Len()-first)))
	for i := first; i < m.lows.Len() && len(all) < l.limit; i++ {
		e := extent{*m.lows.At(i), endOfPlaces, m.nth(i).ref.ID()}
		if i+1 < m.lows.Len() {
			e.high = *m.lows.At(i + 1)
		}
		all = append(all, e)
	}
	return all, nil
}

// begin sets the shard that starts at low aside for a change. It reports whether
// nothing else is going on with it.
func (m *shardMap[S]) begin(t *proclet.Thread, low uint64) (bool, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	s, _, err := m.at(low)
	if err != nil || s.busy || m.closed {
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
	s, i, err := m.at(low)
	if err != nil || s.busy || m.closed || i == 0 || m.nth(i-1).busy {
		return proclet.ID{}, err
	}
	s.busy, m.nth(i-1).busy = true, true
	return m.nth(i - 1).ref.ID(), nil
}

type ending struct {
	low      uint64
	withLeft bool
}

// cancel ends what begin or beginWithLeft began. Nothing has changed.
func (m *shardMap[S]) cancel(t *proclet.Thread, e ending) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	s, i, err := m.at(e.low)
	if err != nil {
		return struct{}{}, err
	}
	s.busy = false
	if e.withLeft {
		m.nth(i - 1).busy = false
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
	s, i, err := m.at(in.low)
	if err != nil {
		return struct{}{}, err
	}
	if err := m.put(t, i+1, in.mid, in.shard); err != nil {
		return struct{}{}, err
	}
	s.busy = false
	return struct{}{}, nil
}

// remove ends what beginWithLeft began: the places of the shard that starts at low
// are its left neighbour's.
func (m *shardMap[S]) remove(t *proclet.Thread, low uint64) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	_, i, err := m.at(low)
	if err != nil {
		return struct{}{}, err
	}
	m.nth(i - 1).busy = false
	m.drop(t, i)
	return struct{}{}, nil
}

// close keeps shards from being changed, and reports whether no change is going on
// any more.
func (m *shardMap[S]) close(t *proclet.Thread, _ struct{}) (bool, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	m.closed = true
	for _, s := range m.shards.All() {
		if s.busy {
			return false, nil
		}
	}
	return true, nil
}

// forget drops the shard that starts at low, which has been destroyed.
func (m *shardMap[S]) forget(t *proclet.Thread, low uint64) (struct{}, error) {
	m.mu.Lock(t)
	defer m.mu.Unlock(t)
	_, i, err := m.at(low)
	if err == nil {
		m.drop(t, i)
	}
	return struct{}{}, err
}
