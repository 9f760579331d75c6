package dist

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nuos/proclet"
)

// routes is what this machine knows of where the places of a structure are. It
// may be wrong in any way: shards know what is theirs. See knowledge for how it
// may be used.
type routes struct {
	mu      sync.Mutex // for changes
	extents atomic.Pointer[[]extent]
}

var known knowledge[routes] // by the shard map

// readAhead is how many shards are asked for at once.
const readAhead = 64

// lookup returns what is known of the shard that holds a place.
func lookup(shards proclet.ID, place uint64) (extent, bool) {
	r := known.about(shards)
	if r == nil {
		return extent{}, false
	}
	all := r.extents.Load()
	if all == nil {
		return extent{}, false
	}
	i, found := slices.BinarySearchFunc(*all, place, func(e extent, place uint64) int {
		switch {
		case e.high <= place:
			return -1
		case e.low > place:
			return 1
		}
		return 0
	})
	if !found {
		return extent{}, false
	}
	return (*all)[i], true
}

// learn takes note of news, which are in order and touch each other.
func learn(shards proclet.ID, news []extent) {
	known.learn(shards).replace(news[0].low, news[len(news)-1].high, news)
}

// unlearn forgets what is known of the place.
func unlearn(shards proclet.ID, place uint64) {
	if r := known.about(shards); r != nil {
		r.replace(place, place+1, nil)
	}
}

// replace puts news in the place of everything that overlaps the places from low
// to high.
func (r *routes) replace(low, high uint64, news []extent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var old []extent
	if p := r.extents.Load(); p != nil {
		old = *p
	}
	all := make([]extent, 0, len(old)+len(news))
	i := 0
	for ; i < len(old) && old[i].high <= low; i++ {
		all = append(all, old[i])
	}
	all = append(all, news...)
	for ; i < len(old); i++ {
		if old[i].low >= high {
			all = append(all, old[i])
		}
	}
	r.extents.Store(&all)
}

// find returns the shard that holds a place, as far as is known.
func find[S any](t *proclet.Thread, shards proclet.Ref[shardMap[S]], place uint64) (extent, error) {
	if e, ok := lookup(shards.ID(), place); ok {
		return e, nil
	}
	all, err := proclet.Call(t, shards, (*shardMap[S]).list, listing{place, readAhead})
	if err != nil {
		known.forget(shards.ID())
		return extent{}, err
	}
	if len(all) == 0 {
		return extent{}, proclet.ErrNoProclet // it is just being made
	}
	learn(shards.ID(), all)
	return all[0], nil
}

// isElsewhere reports whether err says that a place has left the shard that was
// called.
func isElsewhere(err error) bool {
	gone := errors.Is(err, proclet.ErrNoProclet) && !errors.Is(err, proclet.ErrMaybeExecuted)
	return errors.Is(err, errElsewhere) || gone && !errors.Is(err, errByMethod)
}

// A wish is what a shard would like to be done with it.
type wish uint8

const (
	content   wish = iota
	wantSplit      // it is full or busy
	wantMerge      // it is nearly empty
)

// answer is the result of an operation on one place.
type answer[R any] struct {
	Result R
	wish   wish
}

// operate calls method of the shard that holds a place, wherever that is. A shard
// that wants to split or merge does so at the expense of the caller who hears of it
// first, so that those who fill a structure wait for it to grow.
func operate[S, A, R any](t *proclet.Thread, shards proclet.Ref[shardMap[S]], place uint64,
	method func(*S, *proclet.Thread, A) (answer[R], error), arg A,
	reshape func(*S, *proclet.Thread, wish) (bool, error)) (R, error) {
	arg, err := proclet.Carry(t, arg) // it may be needed more than once
	if err != nil {
		var none R
		return none, err
	}
	full := false
	for try := 0; ; try++ {
		e, err := find(t, shards, place)
		if err != nil {
			var none R
			return none, err
		}
		ref := proclet.RefTo[S](e.shard)
		res, err := proclet.Call(t, ref, method, arg)
		switch {
		case err == nil:
			if res.wish != content {
				fulfil(t, shards.ID(), place, ref, reshape, res.wish)
			}
			return res.Result, nil
		case isElsewhere(err):
			unlearn(shards.ID(), place)
			pause(t, try)
		case errors.Is(err, proclet.ErrHeapFull) && !errors.Is(err, errByMethod) && !full:
			full = true // unless splitting helps
			fulfil(t, shards.ID(), place, ref, reshape, wantSplit)
		default:
			return res.Result, err
		}
	}
}

// fulfil has a shard split or merge, and reports whether it did. If that fails the
// structure stays as it is, and the shard will ask again.
func fulfil[S any](t *proclet.Thread, shards proclet.ID, place uint64, ref proclet.Ref[S],
	reshape func(*S, *proclet.Thread, wish) (bool, error), w wish) bool {
	changed, err := proclet.Call(t, ref, reshape, w)
	if changed || err != nil {
		unlearn(shards, place)
	}
	return changed
}

// pause waits before another try: not at all at first, later longer and longer.
func pause(t *proclet.Thread, try int) {
	if try > 0 {
		t.Sleep(min(20*time.Microsecond<<min(try, 10), 2*time.Millisecond))
	}
}
