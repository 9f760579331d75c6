package dist

import (
	"nuos/proclet"
)

// How the entries of a HashTable get from one shard to another; see holding.

func (s *hashShard[K, V]) reshape(t *proclet.Thread, w wish) (bool, error) {
	switch w {
	case wantSplit:
		return s.halve(t)
	case wantMerge:
		return s.join(t)
	}
	return false, nil
}

// halve gives the upper half of the places to a new shard. Hashes are spread
// evenly, and so are the entries.
func (s *hashShard[K, V]) halve(t *proclet.Thread) (bool, error) {
	changed, err := s.split(t, func() uint64 { return s.low + (s.high-s.low)/2 },
		func(to proclet.Ref[hashShard[K, V]], o opening) error {
			if _, err := proclet.Call(t, to, (*hashShard[K, V]).start, o); err != nil {
				return err
			}
			return s.ship(t, to, o.low)
		})
	if changed {
		s.purge(t)
	}
	return changed, err
}

// join gives all places to the left neighbour, if that does not become too large.
func (s *hashShard[K, V]) join(t *proclet.Thread) (bool, error) {
	return s.merge(t, func(left proclet.Ref[hashShard[K, V]]) (bool, error) {
		used, err := proclet.Call(t, left, (*hashShard[K, V]).expect, struct{}{})
		if err != nil || used+s.used(t) > s.options.ShardBytes/4*3 {
			return false, err
		}
		return true, s.ship(t, left, s.low)
	}, func(left proclet.Ref[hashShard[K, V]], high uint64) error {
		_, err := proclet.Call(t, left, (*hashShard[K, V]).extend, high)
		return err
	})
}

// ship sends the entries from place from on to another shard. They are frozen.
func (s *hashShard[K, V]) ship(t *proclet.Thread, to proclet.Ref[hashShard[K, V]], from uint64) error {
	for cursor, more := uint64(0), true; more; {
		entries, next, err := s.collect(t, from, cursor)
		if err != nil {
			return err
		}
		cursor, more = next, next != 0
		if len(entries) > 0 {
			if _, err := proclet.Call(t, to, (*hashShard[K, V]).absorb, entries); err != nil {
				return err
			}
		}
	}
	return nil
}

// collect returns entries from place from on, and the cursor of the Map with which
// to go on.
func (s *hashShard[K, V]) collect(t *proclet.Thread, from, cursor uint64) (_ []Pair[K, V], next uint64, err error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	var b batch[Pair[K, V]]
	for {
		cursor = s.entries.Scan(cursor, 1, func(k *K, v *V) {
			if at := placeOf(*k); at >= from && at < s.high && err == nil {
				err = b.add(Pair[K, V]{*k, *v})
			}
		})
		if cursor == 0 || b.full() || err != nil {
			return b.elems, cursor, err
		}
	}
}

// absorb takes in entries of places that are to become this shard's.
func (s *hashShard[K, V]) absorb(t *proclet.Thread, entries []Pair[K, V]) (struct{}, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	s.garbage = true
	for i := range entries {
		if err := s.entries.Put(t, entries[i].Key, entries[i].Value); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

// expect prepares the shard for entries of its right neighbour, and returns how
// many bytes it uses.
func (s *hashShard[K, V]) expect(t *proclet.Thread, _ struct{}) (uint64, error) {
	s.purge(t)
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return s.used(t), nil
}

// extend makes the places up to high, whose entries it has absorbed, the shard's.
func (s *hashShard[K, V]) extend(t *proclet.Thread, high uint64) (struct{}, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	s.high, s.garbage = high, false
	return struct{}{}, nil
}

// purge throws away what lies outside of the shard's places, some entries at a
// time, so that nobody waits for long.
func (s *hashShard[K, V]) purge(t *proclet.Thread) {
	const atATime = 256
	for cursor, more := uint64(0), s.garbage; more; {
		s.mu.Lock(t)
		var garbage []K
		cursor = s.entries.Scan(cursor, atATime, func(k *K, _ *V) {
			if at := placeOf(*k); at < s.low || at >= s.high {
				garbage = append(garbage, *k)
			}
		})
		for _, k := range garbage {
			s.entries.Delete(t, k)
		}
		if more = cursor != 0; !more {
			s.garbage = false
		}
		s.mu.Unlock(t)
	}
}
