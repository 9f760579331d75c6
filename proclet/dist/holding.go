package dist

import (
	"sync/atomic"

	"nuos/proclet"
)

// holding is what the shards of all structures have in common: the places that
// are theirs, and how these are handed to another shard while calls go on.
//
// A change goes like this. The places that are to leave are frozen: they can be
// read, but operations that would change them are sent away until the change is
// over. The shard map sets the shard aside. What is in those places is sent to
// the other shard, without any lock held; then they are given up, from which
// moment on everybody who asks for them is sent away; then the shard map is told;
// then those who were sent away find the other shard. So a place is served by one
// shard at a time, whatever callers and their machines know, and an operation that
// was sent away has done nothing. If anything fails before the places are given
// up, they thaw, and what the other shard has been sent is garbage: whatever
// lies outside of a shard's places is not there for anybody, and it is thrown away
// before the shard gets more places.
type holding[S any] struct {
	mu        proclet.Mutex // guards everything in the shard, but is not held across calls
	shards    proclet.ID    // the shard map; not counted, because that one keeps its shards
	options   Options
	low, high uint64 // the places that are here; none if equal
	frozen    uint64 // the places from here on cannot be changed at the moment
	changing  bool
	garbage   bool   // there may be something outside of low to high
	base      uint64 // bytes that the empty shard used

	waiting atomic.Int32 // calls that wait for mu
	crowd   int32        // how many these are, smoothed, in 1/crowdUnit
	silent  int32        // for how many operations the shard keeps its wishes to itself
}

const (
	crowdUnit = 64
	// patience is for how many operations a shard does not repeat a wish.
	patience = 64
)

// opening says what a new shard holds.
type opening struct {
	shards    proclet.ID
	options   Options
	low, high uint64
}

// open makes the shard hold places; it is the first call.
func (h *holding[S]) open(t *proclet.Thread, o opening) {
	h.mu.Lock(t)
	defer h.mu.Unlock(t)
	h.shards, h.options, h.low, h.high, h.frozen = o.shards, o.options, o.low, o.high, endOfPlaces
	h.base = t.HeapStats().Used
}

// enter begins an operation on a place: it holds the lock until the result has
// been copied. errElsewhere if the place is not here, or cannot be changed.
func (h *holding[S]) enter(t *proclet.Thread, place uint64, changes bool) error {
	h.lock(t)
	if place < h.low || place >= h.high || changes && place >= h.frozen {
		return errElsewhere
	}
	return nil
}

// lock holds the lock until t's method has ended, and measures how many wait for
// it.
func (h *holding[S]) lock(t *proclet.Thread) {
	h.waiting.Add(1)
	h.mu.Hold(t)
	h.crowd += (h.waiting.Add(-1)*crowdUnit - h.crowd) / 16
}

// used returns how many bytes the content of the shard takes.
func (h *holding[S]) used(t *proclet.Thread) uint64 {
	return max(t.HeapStats().Used, h.base) - h.base
}

// wish returns what the shard would like after an operation. Called with the lock
// held.
func (h *holding[S]) wish(t *proclet.Thread, shrunk bool) wish {
	return h.wishAbove(t, h.options.ShardBytes, shrunk)
}

// busyWish is wish after an operation that only reads.
func (h *holding[S]) busyWish(t *proclet.Thread) wish {
	if int(h.crowd) <= h.options.Waiting*crowdUnit {
		return content
	}
	return h.wish(t, false)
}

// wishAbove is wish with another limit above which the shard is to be split.
func (h *holding[S]) wishAbove(t *proclet.Thread, limit uint64, shrunk bool) wish {
	if h.silent > 0 {
		h.silent--
		return content
	}
	if h.changing {
		return content
	}
	used := h.used(t)
	switch {
	case used > limit || int(h.crowd) > h.options.Waiting*crowdUnit:
		h.silent = patience
		return wantSplit
	case shrunk && used < h.options.ShardBytes/4 && h.low > 0 && int(h.crowd) < h.options.Waiting*crowdUnit/4:
		h.silent = patience
		return wantMerge
	}
	return content
}

func (h *holding[S]) shardMap() proclet.Ref[shardMap[S]] {
	return proclet.RefTo[shardMap[S]](h.shards)
}

// freeze keeps the places from mid on from being changed, for a change of the
// shard. It reports whether that can begin.
func (h *holding[S]) freeze(t *proclet.Thread, mid func() uint64) bool {
	h.mu.Lock(t)
	defer h.mu.Unlock(t)
	if h.changing || h.low >= h.high {
		return false
	}
	at := mid()
	if at < h.low || at >= h.high {
		return false
	}
	h.changing, h.frozen = true, at
	return true
}

// thaw ends a change.
func (h *holding[S]) thaw(t *proclet.Thread) {
	h.mu.Lock(t)
	defer h.mu.Unlock(t)
	h.changing, h.frozen, h.crowd = false, endOfPlaces, 0
}

// setHigh gives places up, or takes them back.
func (h *holding[S]) setHigh(t *proclet.Thread, high uint64) {
	h.mu.Lock(t)
	defer h.mu.Unlock(t)
	h.garbage = h.garbage || high < h.high
	h.high = high
}

// split gives the places from mid() on to a new shard. fill opens the new shard and
// sends it what is there. It reports whether the shard has changed.
func (h *holding[S]) split(t *proclet.Thread, mid func() uint64, fill func(to proclet.Ref[S], o opening) error) (bool, error) {
	if !h.freeze(t, func() uint64 {
		if at := mid(); at > h.low {
			return at
		}
		return endOfPlaces
	}) {
		return false, nil
	}
	defer h.thaw(t)
	ok, err := proclet.Call(t, h.shardMap(), (*shardMap[S]).begin, h.low)
	if !ok || err != nil {
		return false, err
	}
	high := h.high
	to, err := proclet.New[S](t, h.options.proclet()) // ends with this method, if the shard map does not hold it then
	if err == nil {
		err = fill(to, opening{h.shards, h.options, h.frozen, high})
		if err == nil {
			h.setHigh(t, h.frozen)
			_, err = proclet.Call(t, h.shardMap(), (*shardMap[S]).insert, insertion[S]{h.low, h.frozen, to})
		}
		if err == nil {
			return true, nil
		}
		h.setHigh(t, high)
	}
	proclet.Call(t, h.shardMap(), (*shardMap[S]).cancel, ending{low: h.low})
	return false, err
}

// merge gives all places to the left neighbour. feed has that one expect them,
// sends it what is there, and reports whether it has taken it; extend makes it hold
// the places up to high. It reports whether the shard is of no more use.
func (h *holding[S]) merge(t *proclet.Thread, feed func(left proclet.Ref[S]) (bool, error),
	extend func(left proclet.Ref[S], high uint64) error) (bool, error) {
	if !h.freeze(t, func() uint64 { return h.low }) {
		return false, nil
	}
	defer h.thaw(t)
	id, err := proclet.Call(t, h.shardMap(), (*shardMap[S]).beginWithLeft, h.low)
	if id.IsZero() || err != nil {
		return false, err
	}
	left, low, high := proclet.RefTo[S](id), h.low, h.high
	ok, err := feed(left)
	if ok && err == nil {
		h.setHigh(t, low)
		err = extend(left, high)
		if err == nil {
			_, err = proclet.Call(t, h.shardMap(), (*shardMap[S]).remove, low)
			return true, err
		}
		h.setHigh(t, high)
	}
	proclet.Call(t, h.shardMap(), (*shardMap[S]).cancel, ending{low, true})
	return false, err
}
