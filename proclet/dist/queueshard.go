package dist

import (
	"time"

	"nuos/proclet"
)

// queueShard is the state of a shard of a [Queue]: the elements whose numbers are
// its places. The last shard takes new ones; when it is large it is sealed, and
// another one takes over. The first shard gives them; when it is sealed and empty
// it ends. The numbers of elements never come again.
type queueShard[T any] struct {
	holding[queueShard[T]]
	items  proclet.Deque[T]
	taken  int  // so many at the front were given away, and lie there until their copies are safe
	given  bool // some element has ever been here
	closed bool
	filled proclet.Cond
}

func (s *queueShard[T]) start(t *proclet.Thread, o opening) (struct{}, error) {
	s.open(t, o)
	return struct{}{}, nil
}

// enter locks the shard, see holding.enter, and frees what has been taken: the
// lock was held until that had been copied.
func (s *queueShard[T]) enter(t *proclet.Thread) {
	s.lock(t)
	for ; s.taken > 0; s.taken-- {
		v, _ := s.items.PopFront(t)
		proclet.Free(t, &v)
	}
}

// push appends values, all or none.
func (s *queueShard[T]) push(t *proclet.Thread, values []T) (answer[struct{}], error) {
	s.enter(t)
	var a answer[struct{}]
	switch {
	case s.high != endOfPlaces || s.frozen != endOfPlaces:
		return a, errElsewhere
	case s.closed:
		return a, ErrClosed
	}
	for i := range values {
		if err := s.items.PushBack(t, values[i]); err != nil {
			for range i {
				v, _ := s.items.PopBack(t)
				proclet.Free(t, &v)
			}
			return a, err
		}
	}
	s.given = s.given || len(values) > 0
	for range values {
		s.filled.Signal(t)
	}
	a.wish = s.wishAbove(t, s.options.ShardBytes/2, false)
	return a, nil
}

// demand is for up to limit elements. If there are none it waits so long.
type demand struct {
	limit int
	wait  time.Duration
}

// pop gives elements; none after waiting in vain, or when they are to be had from
// the next shard, which is told by a wish to merge.
func (s *queueShard[T]) pop(t *proclet.Thread, d demand) (answer[[]T], error) {
	s.enter(t)
	var a answer[[]T]
	for waited := false; s.items.Len() == 0; {
		switch {
		case s.low == s.high: // it has ended
			return a, errElsewhere
		case s.high != endOfPlaces:
			return answer[[]T]{wish: wantMerge}, nil
		case s.closed:
			return a, ErrClosed
		case waited || d.wait == 0:
			return a, nil
		}
		waited = !s.filled.WaitFor(t, &s.mu, d.wait)
		s.enter(t)
	}
	var b batch[T]
	for i := 0; i < min(d.limit, s.items.Len()) && !b.full(); i++ {
		if err := b.add(*s.items.At(i)); err != nil {
			return a, err
		}
	}
	s.taken = len(b.elems)
	a.Result = b.elems
	return a, nil
}

// length returns how many elements are in this shard.
func (s *queueShard[T]) length(t *proclet.Thread, p piece[struct{}]) (part[int], error) {
	s.enter(t)
	if p.from >= s.high {
		return part[int]{}, errElsewhere
	}
	return part[int]{s.items.Len(), s.high}, nil
}

// shut keeps the Queue from taking more elements.
func (s *queueShard[T]) shut(t *proclet.Thread, _ struct{}) (answer[struct{}], error) {
	s.enter(t)
	if s.high != endOfPlaces || s.frozen != endOfPlaces {
		return answer[struct{}]{}, errElsewhere
	}
	s.closed = true
	s.filled.Broadcast(t)
	return answer[struct{}]{}, nil
}

func (s *queueShard[T]) reshape(t *proclet.Thread, w wish) (bool, error) {
	switch w {
	case wantSplit:
		return s.seal(t)
	case wantMerge:
		return s.retire(t)
	}
	return false, nil
}

// seal lets a new shard take over if this one is full. Places are only numbers in
// the order of shards: each shard has more of them than it can ever use.
func (s *queueShard[T]) seal(t *proclet.Thread) (bool, error) {
	changed, err := s.split(t, func() uint64 {
		if s.high != endOfPlaces || !s.given || s.used(t) < s.options.ShardBytes/2 {
			return endOfPlaces
		}
		return s.low + placesOfQueueShard
	}, func(to proclet.Ref[queueShard[T]], o opening) error {
		_, err := proclet.Call(t, to, (*queueShard[T]).start, o)
		return err
	})
	if changed {
		s.filled.Broadcast(t) // who waits here waits for the other one
	}
	return changed, err
}

const placesOfQueueShard = 1 << 32

// retire ends the shard if it is sealed and empty.
func (s *queueShard[T]) retire(t *proclet.Thread) (bool, error) {
	if !s.freeze(t, func() uint64 {
		if s.high == endOfPlaces || s.items.Len() > s.taken {
			return endOfPlaces
		}
		return s.low
	}) {
		return false, nil
	}
	defer s.thaw(t)
	ok, err := proclet.Call(t, s.shardMap(), (*shardMap[queueShard[T]]).begin, s.low)
	if !ok || err != nil {
		return false, err
	}
	low := s.low
	s.setHigh(t, low)
	_, err = proclet.Call(t, s.shardMap(), (*shardMap[queueShard[T]]).remove, low)
	return true, err
}
