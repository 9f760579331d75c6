package dist

import (
	"fmt"

	"nuos/proclet"
)

// vectorShard is the state of a shard of a [Vector]: the elements whose indexes are
// its places. All shards but the last one are as long as their places; the last
// one's places have no end, and it holds the end of the Vector.
type vectorShard[T any] struct {
	holding[vectorShard[T]]
	items proclet.Slice[T] // from place low on; those from place high on are garbage
}

func (s *vectorShard[T]) start(t *proclet.Thread, o opening) (struct{}, error) {
	s.open(t, o)
	return struct{}{}, nil
}

func (s *vectorShard[T]) last() bool { return s.high == endOfPlaces }

// end is the place after the last element here.
func (s *vectorShard[T]) end() uint64 { return min(s.low+uint64(s.items.Len()), s.high) }

// item returns the element at a place, after enter.
func (s *vectorShard[T]) item(place uint64) (*T, error) {
	if place >= s.end() {
		return nil, fmt.Errorf("%w: index %d of %d", ErrRange, place, s.end())
	}
	return s.items.At(int(place - s.low)), nil
}

func (s *vectorShard[T]) get(t *proclet.Thread, place uint64) (answer[T], error) {
	if err := s.enter(t, place, false); err != nil {
		return answer[T]{}, err
	}
	p, err := s.item(place)
	if err != nil {
		return answer[T]{}, err
	}
	return answer[T]{*p, s.busyWish(t)}, nil
}

// assignment puts values at places from first on.
type assignment[T any] struct {
	first  uint64
	values []T
}

// set stores as many of the values as belong here, and returns how many.
func (s *vectorShard[T]) set(t *proclet.Thread, a assignment[T]) (answer[int], error) {
	if err := s.enter(t, a.first, true); err != nil {
		return answer[int]{}, err
	}
	n := 0
	for place := a.first; n < len(a.values) && place < min(s.high, s.frozen); n, place = n+1, place+1 {
		if _, err := s.item(place); err != nil {
			return answer[int]{}, err
		}
		if err := s.items.Set(t, int(place-s.low), a.values[n]); err != nil {
			return answer[int]{}, err
		}
	}
	return answer[int]{n, s.wish(t, true)}, nil
}

// extension is what is appended: values, or so many zeros.
type extension[T any] struct {
	values []T
	zeros  int
}

// extended says at which place an extension starts and how long it is.
type extended struct {
	first uint64
	n     int
}

// add appends values, all or none, or some zeros.
func (s *vectorShard[T]) add(t *proclet.Thread, x extension[T]) (answer[extended], error) {
	if err := s.enter(t, endOfPlaces-1, true); err != nil {
		return answer[extended]{}, err
	}
	e := extended{first: s.end()}
	if err := s.items.Append(t, x.values...); err != nil {
		return answer[extended]{}, err
	}
	e.n = len(x.values)
	for e.n < len(x.values)+x.zeros && (e.n == 0 || !s.lastIsFull(t)) {
		var zero T
		if err := s.items.Append(t, zero); err != nil {
			return answer[extended]{e, wantSplit}, nil
		}
		e.n++
	}
	return answer[extended]{e, s.wishAbove(t, s.options.ShardBytes/2, false)}, nil
}

// lastIsFull reports whether the end of the Vector should be in a new shard: early
// enough that the elements here can still grow.
func (s *vectorShard[T]) lastIsFull(t *proclet.Thread) bool {
	return s.used(t) > s.options.ShardBytes/2
}

// length returns how many elements the Vector has.
func (s *vectorShard[T]) length(t *proclet.Thread, _ struct{}) (answer[uint64], error) {
	if err := s.enter(t, endOfPlaces-1, false); err != nil {
		return answer[uint64]{}, err
	}
	return answer[uint64]{Result: s.end()}, nil
}

// cut removes the elements from a place on, as far as they are in the last shard.
// It reports whether that was all.
func (s *vectorShard[T]) cut(t *proclet.Thread, place uint64) (answer[bool], error) {
	if err := s.enter(t, endOfPlaces-1, true); err != nil {
		return answer[bool]{}, err
	}
	if s.frozen < endOfPlaces {
		return answer[bool]{}, errElsewhere // some elements here cannot be changed at the moment
	}
	if place < s.end() {
		s.items.Truncate(t, int(max(place, s.low)-s.low))
	}
	if place < s.low {
		return answer[bool]{}, nil
	}
	return answer[bool]{true, s.wish(t, true)}, nil
}

// page returns the elements of the first places of a piece, about batchBytes of
// them.
func (s *vectorShard[T]) page(t *proclet.Thread, p piece[struct{}]) (part[[]T], error) {
	upTo, err := s.enterPiece(t, p.from, p.to, false)
	if err != nil {
		return part[[]T]{}, err
	}
	var b batch[T]
	for place := p.from; place < min(upTo, s.end()); place++ {
		if b.full() {
			return part[[]T]{b.elems, place}, nil
		}
		if err := b.add(*s.items.At(int(place - s.low))); err != nil {
			return part[[]T]{}, err
		}
	}
	return part[[]T]{b.elems, upTo}, nil
}
