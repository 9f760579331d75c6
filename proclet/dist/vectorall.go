package dist

import (
	"errors"

	"nuos/proclet"
)

// Operations on all elements of a Vector, at all shards at the same time.

type folding[T, R any] struct {
	zero R
	add  proclet.Func[func(R, int, *T) R]
}

func foldAt[T, R any](s *vectorShard[T], t *proclet.Thread, p piece[folding[T, R]]) (part[R], error) {
	add, err := p.arg.add.Get()
	if err != nil {
		return part[R]{}, err
	}
	upTo, err := s.enterPiece(t, p.from, p.to, false)
	if err != nil {
		return part[R]{}, err
	}
	acc := p.arg.zero
	for place := p.from; place < min(upTo, s.end()); place++ {
		acc = add(acc, int(place), s.items.At(int(place-s.low)))
	}
	return part[R]{acc, upTo}, nil
}

// ReduceVector combines all elements into one value, at all shards at the same
// time: each starts with zero and adds its elements in order, and what they
// arrive at is combined in order. So zero must change nothing when it is
// combined, and combine must be associative. add runs at the shards: it must
// capture nothing, must not block, and what it returns may refer to the element.
//
// An element that is there all the time counts once, whatever splits, merges and
// moves meanwhile.
func ReduceVector[T, R any](t *proclet.Thread, v Vector[T], zero R, add func(acc R, i int, p *T) R, combine func(R, R) R) (R, error) {
	f, err := proclet.FuncOf(add)
	if err != nil {
		return zero, err
	}
	acc := zero
	err = cover(t, v.shards, 0, endOfPlaces, foldAt[T, R], folding[T, R]{zero, f}, func(r R) { acc = combine(acc, r) })
	return acc, err
}

type updating[T, A any] struct {
	fn  proclet.Func[func(int, *T, *proclet.Thread, A) error]
	arg A
}

func updateAt[T, A any](s *vectorShard[T], t *proclet.Thread, p piece[updating[T, A]]) (part[struct{}], error) {
	fn, err := p.arg.fn.Get()
	if err != nil {
		return part[struct{}]{}, err
	}
	upTo, err := s.enterPiece(t, p.from, p.to, true)
	if err != nil {
		return part[struct{}]{}, err
	}
	for place := p.from; place < min(upTo, s.end()); place++ {
		if err := fn(int(place), s.items.At(int(place-s.low)), t, p.arg.arg); err != nil {
			return part[struct{}]{}, byMethod{err}
		}
	}
	return part[struct{}]{upTo: upTo}, nil
}

// Update runs fn once on each element, at all shards at the same time. fn is a
// function that captures nothing; see [Apply]. If it fails for an element the
// update ends with that error, after some of the others have been updated.
func Update[T, A any](t *proclet.Thread, v Vector[T], fn func(i int, p *T, t *proclet.Thread, arg A) error, arg A) error {
	f, err := proclet.FuncOf(fn)
	if err != nil {
		return err
	}
	return cover(t, v.shards, 0, endOfPlaces, updateAt[T, A], updating[T, A]{f, arg}, func(struct{}) {})
}

type mapping[T, U any] struct {
	fn proclet.Func[func(int, *T) U]
	to Vector[U]
}

// mapTo writes the images of a shard's elements to another Vector.
func mapTo[T, U any](s *vectorShard[T], t *proclet.Thread, p piece[mapping[T, U]]) (part[struct{}], error) {
	for place := p.from; ; {
		images, upTo, last, err := mapSome(s, t, place, p.to, p.arg.fn)
		if errors.Is(err, errElsewhere) && place > p.from {
			return part[struct{}]{upTo: place}, nil // the rest has left meanwhile
		}
		if err != nil {
			return part[struct{}]{}, err
		}
		if len(images) > 0 {
			if err := p.arg.to.Set(t, int(place), images...); err != nil {
				return part[struct{}]{}, byMethod{err}
			}
		}
		if last {
			return part[struct{}]{upTo: upTo}, nil
		}
		place = upTo
	}
}

// mapSome returns the images of the elements at places from and after, about
// batchBytes of them, up to place upTo, and whether these are the last ones here.
func mapSome[T, U any](s *vectorShard[T], t *proclet.Thread, from, to uint64, f proclet.Func[func(int, *T) U]) (_ []U, upTo uint64, last bool, err error) {
	fn, err := f.Get()
	if err != nil {
		return nil, 0, false, err
	}
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	if from < s.low || from >= s.high {
		return nil, 0, false, errElsewhere
	}
	upTo = min(to, s.high)
	var b batch[U]
	for place := from; place < min(upTo, s.end()); place++ {
		if b.full() {
			return b.elems, place, false, nil
		}
		if err := b.add(fn(int(place), s.items.At(int(place-s.low)))); err != nil {
			return nil, 0, false, err
		}
	}
	return b.elems, upTo, true, nil
}

// MapVector makes a vector of what fn returns for the elements of v, at all
// shards at the same time. fn must capture nothing and must not block. What it
// returns must not refer to the element, such as a proclet.String of it. Elements
// that are appended meanwhile are left out.
func MapVector[T, U any](t *proclet.Thread, v Vector[T], o Options, fn func(i int, p *T) U) (to Vector[U], err error) {
	f, err := proclet.FuncOf(fn)
	if err != nil {
		return to, err
	}
	n, err := v.Len(t)
	if err != nil {
		return to, err
	}
	if to, err = NewVector[U](t, o); err != nil {
		return to, err
	}
	if _, err = to.Grow(t, n); err == nil {
		err = cover(t, v.shards, 0, uint64(n), mapTo[T, U], mapping[T, U]{f, to}, func(struct{}) {})
	}
	if err != nil {
		to.Destroy(t)
		return Vector[U]{}, err
	}
	return to, nil
}
