package dist

import (
	"iter"

	"nuos/proclet"
)

// Vector is a growable array whose elements lie in shards, proclets anywhere in the
// rack. It is a small value that refers to it, like a [HashTable]. T is a type that
// can be kept in state and passed to calls.
//
// Each operation on one element is executed exactly once and alone, or fails like
// a call.
type Vector[T any] struct {
	handle[vectorShard[T]]
}

// NewVector makes an empty vector. See [proclet.New] for the errors.
func NewVector[T any](t *proclet.Thread, o Options) (Vector[T], error) {
	o.Shards = 1 // nobody knows yet where the boundaries are
	h, err := establish(t, o, (*vectorShard[T]).start)
	return Vector[T]{h}, err
}

// Keep makes v, a part of the state, hold the vector that from refers to; what it held
// before is given back. See [proclet.Ref.Set].
func (v *Vector[T]) Keep(t *proclet.Thread, from Vector[T]) error {
	return v.shards.Set(t, from.shards)
}

// Clone makes t's method, or the ordinary goroutine, hold the vector once more.
func (v Vector[T]) Clone(t *proclet.Thread) (Vector[T], error) {
	shards, err := v.shards.Clone(t)
	return Vector[T]{handle[vectorShard[T]]{shards}}, err
}

// OpenVector returns the vector that a name is bound to; see [Vector.Bind].
func OpenVector[T any](t *proclet.Thread, name string) (Vector[T], error) {
	shards, err := proclet.Lookup[shardMap[vectorShard[T]]](t, name)
	return Vector[T]{handle[vectorShard[T]]{shards}}, err
}

// Len returns the number of elements.
func (v Vector[T]) Len(t *proclet.Thread) (int, error) {
	n, err := operate(t, v.shards, endOfPlaces-1, (*vectorShard[T]).length, struct{}{}, (*vectorShard[T]).reshape)
	return int(n), err
}

// placeOfIndex returns the place of an element. A negative index is beyond the end.
func placeOfIndex(i int) uint64 { return min(uint64(i), endOfPlaces-1) }

// Get returns element i. ErrRange if there is none.
func (v Vector[T]) Get(t *proclet.Thread, i int) (T, error) {
	return operate(t, v.shards, placeOfIndex(i), (*vectorShard[T]).get, placeOfIndex(i), (*vectorShard[T]).reshape)
}

// Set replaces the elements from i on by values, which must exist already:
// otherwise the error is ErrRange. Those in one shard are replaced in one step.
func (v Vector[T]) Set(t *proclet.Thread, i int, values ...T) error {
	for len(values) > 0 {
		n, err := operate(t, v.shards, placeOfIndex(i), (*vectorShard[T]).set,
			assignment[T]{placeOfIndex(i), values}, (*vectorShard[T]).reshape)
		if err != nil {
			return err
		}
		i, values = i+n, values[n:]
	}
	return nil
}

// Append appends values and returns the index of the first. It is one step: they
// are next to each other whoever else appends. They must fit into a message, see
// rack.MaxMessage, and into a shard.
func (v Vector[T]) Append(t *proclet.Thread, values ...T) (int, error) {
	e, err := operate(t, v.shards, endOfPlaces-1, (*vectorShard[T]).add, extension[T]{values: values}, (*vectorShard[T]).reshape)
	return int(e.first), err
}

// Grow appends n zero values and returns the index of the first. Other appends may
// come in between.
func (v Vector[T]) Grow(t *proclet.Thread, n int) (int, error) {
	first := -1
	for n > 0 || first < 0 {
		e, err := operate(t, v.shards, endOfPlaces-1, (*vectorShard[T]).add, extension[T]{zeros: n}, (*vectorShard[T]).reshape)
		if err != nil {
			return first, err
		}
		if first < 0 {
			first = int(e.first)
		}
		n -= e.n
	}
	return first, nil
}

// Truncate removes the elements from n on. With appends at the same time the
// outcome may be any length.
func (v Vector[T]) Truncate(t *proclet.Thread, n int) error {
	for try := 0; ; {
		done, err := operate(t, v.shards, endOfPlaces-1, (*vectorShard[T]).cut, placeOfIndex(n), (*vectorShard[T]).reshape)
		if done || err != nil {
			return err
		}
		// The last shard is empty. It joins its neighbour, which is then the last one.
		e, err := find(t, v.shards, endOfPlaces-1)
		if err != nil {
			return err
		}
		if fulfil(t, v.shards.ID(), endOfPlaces-1, proclet.RefTo[vectorShard[T]](e.shard), (*vectorShard[T]).reshape, wantMerge) {
			try = 0
		} else {
			try++
			pause(t, try)
		}
	}
}

// element says what to apply to which element.
type element[T, A, R any] struct {
	place uint64
	fn    proclet.Func[func(*T, *proclet.Thread, A) (R, error)]
	arg   A
}

func applyAtIndex[T, A, R any](s *vectorShard[T], t *proclet.Thread, e element[T, A, R]) (answer[R], error) {
	var none answer[R]
	fn, err := e.fn.Get()
	if err != nil {
		return none, err
	}
	if err := s.enter(t, e.place, true); err != nil {
		return none, err
	}
	p, err := s.item(e.place)
	if err != nil {
		return none, err
	}
	res, err := fn(p, t, e.arg)
	if err != nil {
		return none, byMethod{err}
	}
	return answer[R]{res, s.wish(t, true)}, nil
}

// ApplyAt runs fn on element i, where that lies; see [Apply].
func ApplyAt[T, A, R any](t *proclet.Thread, v Vector[T], i int, fn func(p *T, t *proclet.Thread, arg A) (R, error), arg A) (R, error) {
	f, err := proclet.FuncOf(fn)
	if err != nil {
		var none R
		return none, err
	}
	return operate(t, v.shards, placeOfIndex(i), applyAtIndex[T, A, R], element[T, A, R]{placeOfIndex(i), f, arg}, (*vectorShard[T]).reshape)
}

// Page returns some of the elements from i to limit, those at i and after it, and
// none when there are none left. A negative limit is none.
func (v Vector[T]) Page(t *proclet.Thread, i, limit int) ([]T, error) {
	for from, to := placeOfIndex(i), placeOfIndex(limit); from < to; {
		p, err := onePiece(t, v.shards, from, to, (*vectorShard[T]).page, struct{}{})
		if err != nil || len(p.result) > 0 {
			return p.result, err
		}
		from = p.upTo
	}
	return nil, nil
}

// Elements goes through a part of a Vector; see [Vector.Range].
type Elements[T any] struct {
	vector      Vector[T]
	t           *proclet.Thread
	from, limit int
	err         error
}

// Range prepares a walk through the elements from i up to limit; a negative limit
// is none:
//
//	elements := vector.Range(t, 0, -1)
//	for i, v := range elements.All() {
//		...
//	}
//	if err := elements.Err(); err != nil { ... }
//
// Elements come some at a time; see [Vector.Page], which is for methods that block
// or run for long between elements: a loop over All keeps a method from moving.
func (v Vector[T]) Range(t *proclet.Thread, i, limit int) *Elements[T] {
	return &Elements[T]{vector: v, t: t, from: i, limit: limit}
}

// All iterates over index and element until there are no more, or an error.
func (e *Elements[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		for i := e.from; ; {
			var page []T
			if page, e.err = e.vector.Page(e.t, i, e.limit); e.err != nil || len(page) == 0 {
				return
			}
			for _, v := range page {
				if !yield(i, v) {
					return
				}
				i++
			}
		}
	}
}

// Err returns the error that ended All early, or nil.
func (e *Elements[T]) Err() error { return e.err }
