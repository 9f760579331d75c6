package dist

import (
	"nuos/proclet"
)

// hashShard is the state of a shard of a [HashTable]: the entries whose keys hash to
// its places.
type hashShard[K comparable, V any] struct {
	holding[hashShard[K, V]]
	entries proclet.Map[K, V]
}

// Pair is an entry of a [HashTable].
type Pair[K comparable, V any] struct {
	Key   K
	Value V
}

// placeOf returns where a key belongs.
func placeOf[K comparable](k K) uint64 { return proclet.HashKey(k) >> 1 }

// Found is a value that may be there.
type found[V any] struct {
	value V
	ok    bool
}

func (s *hashShard[K, V]) start(t *proclet.Thread, o opening) (struct{}, error) {
	s.open(t, o)
	return struct{}{}, nil
}

func (s *hashShard[K, V]) get(t *proclet.Thread, k K) (answer[found[V]], error) {
	var a answer[found[V]]
	if err := s.enter(t, placeOf(k), false); err != nil {
		return a, err
	}
	if v := s.entries.Get(k); v != nil {
		a.Result = found[V]{*v, true}
	}
	a.wish = s.busyWish(t)
	return a, nil
}

func (s *hashShard[K, V]) put(t *proclet.Thread, p Pair[K, V]) (answer[struct{}], error) {
	if err := s.enter(t, placeOf(p.Key), true); err != nil {
		return answer[struct{}]{}, err
	}
	err := s.entries.Put(t, p.Key, p.Value)
	return answer[struct{}]{wish: s.wish(t, false)}, err
}

func (s *hashShard[K, V]) remove(t *proclet.Thread, k K) (answer[bool], error) {
	if err := s.enter(t, placeOf(k), true); err != nil {
		return answer[bool]{}, err
	}
	ok := s.entries.Delete(t, k)
	return answer[bool]{ok, s.wish(t, true)}, nil
}

// application says what to apply to which entry.
type application[K comparable, V, A, R any] struct {
	key K
	fn  proclet.Func[func(*V, *proclet.Thread, A) (R, error)]
	arg A
}

// applyAt is a function because a method cannot have types of its own.
func applyAt[K comparable, V, A, R any](s *hashShard[K, V], t *proclet.Thread, a application[K, V, A, R]) (answer[R], error) {
	var none answer[R]
	fn, err := a.fn.Get()
	if err != nil {
		return none, err
	}
	if err := s.enter(t, placeOf(a.key), true); err != nil {
		return none, err
	}
	v := s.entries.Get(a.key)
	isNew := v == nil
	if isNew {
		if v, err = s.entries.Entry(t, a.key); err != nil {
			return none, err
		}
	}
	res, err := fn(v, t, a.arg)
	if err != nil {
		if isNew {
			s.entries.Delete(t, a.key)
		}
		return none, byMethod{err}
	}
	return answer[R]{res, s.wish(t, false)}, nil
}

// A piece is a range of places that an operation on many is to go over.
type piece[A any] struct {
	from, to uint64
	arg      A
}

// A part is the result for the places of a piece up to upTo, which the shard
// holds.
type part[R any] struct {
	result R
	upTo   uint64
}

// enterPiece begins an operation on the places of a piece, as far as they are
// here: up to the one returned.
func (h *holding[S]) enterPiece(t *proclet.Thread, from, to uint64, changes bool) (upTo uint64, err error) {
	if err := h.enter(t, from, changes); err != nil {
		return 0, err
	}
	if changes {
		to = min(to, h.frozen)
	}
	return min(to, h.high), nil
}

// reduction says how to reduce entries.
type reduction[K comparable, V, R any] struct {
	zero R
	add  proclet.Func[func(R, *K, *V) R]
}

func reduceAt[K comparable, V, R any](s *hashShard[K, V], t *proclet.Thread, p piece[reduction[K, V, R]]) (part[R], error) {
	add, err := p.arg.add.Get()
	if err != nil {
		return part[R]{}, err
	}
	upTo, err := s.enterPiece(t, p.from, p.to, false)
	if err != nil {
		return part[R]{}, err
	}
	acc := p.arg.zero
	for k, v := range s.entries.All() {
		if at := placeOf(*k); at >= p.from && at < upTo {
			acc = add(acc, k, v)
		}
	}
	return part[R]{acc, upTo}, nil
}

// count counts entries.
func (s *hashShard[K, V]) count(t *proclet.Thread, p piece[struct{}]) (part[int], error) {
	upTo, err := s.enterPiece(t, p.from, p.to, false)
	if err != nil {
		return part[int]{}, err
	}
	if p.from == s.low && upTo == s.high && !s.garbage {
		return part[int]{s.entries.Len(), upTo}, nil
	}
	n := 0
	for k := range s.entries.All() {
		if at := placeOf(*k); at >= p.from && at < upTo {
			n++
		}
	}
	return part[int]{n, upTo}, nil
}

// page returns the entries of the first places of a piece, about batchBytes of
// them. The entries lie in the heap in an order that changes as the shard does,
// so it goes through all of them for each page; the places are chosen so that this
// is needed once, mostly.
func (s *hashShard[K, V]) page(t *proclet.Thread, p piece[struct{}]) (part[[]Pair[K, V]], error) {
	var none part[[]Pair[K, V]]
	upTo, err := s.enterPiece(t, p.from, p.to, false)
	if err != nil {
		return none, err
	}
	width := upTo - p.from
	if pages := s.used(t) / batchBytes; pages > 0 {
		width = max((s.high-s.low)/(pages+pages/4+1), 1)
	}
	for {
		end := p.from + min(width, upTo-p.from)
		var b batch[Pair[K, V]]
		for k, v := range s.entries.All() {
			if at := placeOf(*k); at >= p.from && at < end {
				if err := b.add(Pair[K, V]{*k, *v}); err != nil {
					return none, err
				}
			}
			if b.bytes > 2*batchBytes && width > 1 {
				break
			}
		}
		if b.bytes <= 2*batchBytes || width == 1 {
			return part[[]Pair[K, V]]{b.elems, end}, nil
		}
		width = (width + 1) / 2
	}
}
