package dist

import (
	"nuos/proclet"
)

// How the elements of a Vector get from one shard to another; see holding.

func (s *vectorShard[T]) reshape(t *proclet.Thread, w wish) (bool, error) {
	switch w {
	case wantSplit:
		return s.halve(t)
	case wantMerge:
		return s.join(t)
	}
	return false, nil
}

// halve gives the upper half of the elements to a new shard, or, if this is the
// last shard and full, only the end of the Vector.
func (s *vectorShard[T]) halve(t *proclet.Thread) (bool, error) {
	changed, err := s.split(t, func() uint64 {
		if s.last() && (s.lastIsFull(t) || s.items.Len() == 1) {
			return s.end()
		}
		return s.low + (s.end()-s.low)/2
	}, func(to proclet.Ref[vectorShard[T]], o opening) error {
		if _, err := proclet.Call(t, to, (*vectorShard[T]).start, o); err != nil {
			return err
		}
		return s.ship(t, to, o.low)
	})
	if changed {
		s.purge(t)
	}
	return changed, err
}

// join gives all elements to the left neighbour, if that does not become too
// large.
func (s *vectorShard[T]) join(t *proclet.Thread) (bool, error) {
	return s.merge(t, func(left proclet.Ref[vectorShard[T]]) (bool, error) {
		used, err := proclet.Call(t, left, (*vectorShard[T]).expect, struct{}{})
		if err != nil || s.items.Len() > 0 && used+s.used(t) > s.options.ShardBytes/4*3 {
			return false, err
		}
		return true, s.ship(t, left, s.low)
	}, func(left proclet.Ref[vectorShard[T]], high uint64) error {
		_, err := proclet.Call(t, left, (*vectorShard[T]).extend, high)
		return err
	})
}

// ship sends the elements from place from on, which are frozen, to another shard.
func (s *vectorShard[T]) ship(t *proclet.Thread, to proclet.Ref[vectorShard[T]], from uint64) error {
	for {
		items, next, err := s.collect(t, from)
		if err != nil || len(items) == 0 {
			return err
		}
		from = next
		if _, err := proclet.Call(t, to, (*vectorShard[T]).absorb, items); err != nil {
			return err
		}
	}
}

// collect returns elements from place from on, and the place after them.
func (s *vectorShard[T]) collect(t *proclet.Thread, from uint64) (_ []T, next uint64, err error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	var b batch[T]
	for ; from < s.end() && !b.full(); from++ {
		if err := b.add(*s.items.At(int(from - s.low))); err != nil {
			return nil, 0, err
		}
	}
	return b.elems, from, nil
}

// absorb takes in the next elements of places that are to become this shard's.
func (s *vectorShard[T]) absorb(t *proclet.Thread, items []T) (struct{}, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return struct{}{}, s.items.Append(t, items...)
}

// expect prepares the shard for elements of its right neighbour, and returns how
// many bytes it uses.
func (s *vectorShard[T]) expect(t *proclet.Thread, _ struct{}) (uint64, error) {
	s.purge(t)
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return s.used(t), nil
}

// extend makes the places up to high, whose elements it has absorbed, the
// shard's.
func (s *vectorShard[T]) extend(t *proclet.Thread, high uint64) (struct{}, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	s.high = high
	return struct{}{}, nil
}

// purge throws away what lies outside of the shard's places.
func (s *vectorShard[T]) purge(t *proclet.Thread) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	if n := s.high - s.low; uint64(s.items.Len()) > n {
		s.items.Truncate(t, int(n))
	}
}
