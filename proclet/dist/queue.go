package dist

import (
	"time"

	"nuos/proclet"
)

// Queue is a queue whose elements lie in shards, proclets anywhere in the rack. It
// is a small value that refers to it, like a [HashTable]. T is a type that can be
// kept in state and passed to calls.
//
// It is first in, first out for the rack as a whole: all elements are in one
// order, in which one whose Push had returned before another one's was called
// comes first, and they are taken in that order, each once. Elements of one Push
// are next to each other. Those who wait for elements get them in the order in
// which they came, as far as they wait at one time; see [Queue.Pop].
//
// For that all elements enter through one shard, and leave through one, which may
// be another: what is in between costs memory everywhere, but no time. PushAll
// and PopSome are for many small elements.
type Queue[T any] struct {
	handle[queueShard[T]]
}

// NewQueue makes an empty queue. See [proclet.New] for the errors.
func NewQueue[T any](t *proclet.Thread, o Options) (Queue[T], error) {
	o.Shards = 1
	h, err := establish(t, o, (*queueShard[T]).start)
	return Queue[T]{h}, err
}

// OpenQueue returns the queue that a name is bound to; see [Queue.Bind].
func OpenQueue[T any](t *proclet.Thread, name string) (Queue[T], error) {
	shards, err := proclet.Lookup[shardMap[queueShard[T]]](t, name)
	return Queue[T]{handle[queueShard[T]]{shards}}, err
}

// Keep makes q, a part of the state, hold the queue that from refers to; what it
// held before is given back. See [proclet.Ref.Set].
func (q *Queue[T]) Keep(t *proclet.Thread, from Queue[T]) error { return q.shards.Set(t, from.shards) }

// Clone makes t's method, or the ordinary goroutine, hold the queue once more.
func (q Queue[T]) Clone(t *proclet.Thread) (Queue[T], error) {
	shards, err := q.shards.Clone(t)
	return Queue[T]{handle[queueShard[T]]{shards}}, err
}

// Push appends an element. It does not wait for anybody to take it. ErrClosed
// after Close.
func (q Queue[T]) Push(t *proclet.Thread, v T) error { return q.PushAll(t, v) }

// PushAll appends elements next to each other, all or none. They must fit into a
// message, see rack.MaxMessage.
func (q Queue[T]) PushAll(t *proclet.Thread, values ...T) error {
	_, err := operate(t, q.shards, endOfPlaces-1, (*queueShard[T]).push, values, (*queueShard[T]).reshape)
	return err
}

// popWait is how long a call waits at a shard, so that those who wait do not take
// the credits of all calls between two machines for long.
const popWait = 50 * time.Millisecond

// Pop takes the first element, and waits until there is one. ErrClosed when there
// will be none any more. One who has waited in vain for a while asks again, and
// is then the last of those who wait.
func (q Queue[T]) Pop(t *proclet.Thread) (v T, err error) {
	some, err := q.pop(t, demand{1, popWait})
	if err != nil {
		return v, err
	}
	return some[0], nil
}

// TryPop takes the first element. ErrEmpty if there is none at the moment.
func (q Queue[T]) TryPop(t *proclet.Thread) (v T, err error) {
	some, err := q.pop(t, demand{1, 0})
	if err != nil {
		return v, err
	}
	return some[0], nil
}

// PopSome takes between one and limit elements that follow each other, and waits
// like Pop until there is one. limit must be positive.
func (q Queue[T]) PopSome(t *proclet.Thread, limit int) ([]T, error) {
	return q.pop(t, demand{max(limit, 1), popWait})
}

func (q Queue[T]) pop(t *proclet.Thread, d demand) ([]T, error) {
	for try := 0; ; try++ {
		e, err := find(t, q.shards, 0)
		if err != nil {
			return nil, err
		}
		ref := proclet.RefTo[queueShard[T]](e.shard)
		a, err := proclet.Call(t, ref, (*queueShard[T]).pop, d)
		switch {
		case isElsewhere(err):
			unlearn(q.shards.ID(), 0)
			pause(t, try)
		case err != nil:
			return nil, err
		case a.wish != content: // go on at the next shard
			if !fulfil(t, q.shards.ID(), 0, ref, (*queueShard[T]).reshape, a.wish) {
				unlearn(q.shards.ID(), 0)
				pause(t, try)
			}
		case len(a.Result) > 0:
			return a.Result, nil
		case d.wait == 0:
			return nil, ErrEmpty
		default:
			try = -1
		}
	}
}

// Len returns about how many elements are in the queue: exactly so many if nobody
// pushes or pops meanwhile.
func (q Queue[T]) Len(t *proclet.Thread) (n int, err error) {
	err = cover(t, q.shards, 0, endOfPlaces, (*queueShard[T]).length, struct{}{}, func(m int) { n += m })
	return n, err
}

// Close ends the pushing: Push fails with ErrClosed from now on, and Pop does when
// it has taken what is there.
func (q Queue[T]) Close(t *proclet.Thread) error {
	_, err := operate(t, q.shards, endOfPlaces-1, (*queueShard[T]).shut, struct{}{}, (*queueShard[T]).reshape)
	return err
}
