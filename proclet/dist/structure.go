package dist

import (
	"errors"

	"nuos/proclet"
)

// establish makes the shard map and the first shards of a structure. The caller
// holds the shard map, and that holds the shards.
func establish[S any](t *proclet.Thread, o Options, start func(*S, *proclet.Thread, opening) (struct{}, error)) (handle[S], error) {
	o = o.withDefaults()
	shards, err := proclet.New[shardMap[S]](t, proclet.Options{})
	if err != nil {
		return handle[S]{}, err
	}
	for i := 0; i < o.Shards && err == nil; i++ {
		var s proclet.Ref[S]
		if s, err = proclet.New[S](t, o.proclet()); err != nil {
			break
		}
		low := share(i, o.Shards)
		_, err = proclet.Call(t, s, start, opening{shards.ID(), o, low, share(i+1, o.Shards)})
		if err == nil {
			_, err = proclet.Call(t, shards, (*shardMap[S]).found, founding[S]{low, s})
		}
		err = errors.Join(err, proclet.Release(t, s))
	}
	if err != nil {
		return handle[S]{}, errors.Join(err, proclet.Release(t, shards))
	}
	return handle[S]{shards}, nil
}

// share returns the first place of the i-th of n equal shares.
func share(i, n int) uint64 {
	if i == n {
		return endOfPlaces
	}
	return endOfPlaces / uint64(n) * uint64(i)
}

// atOnce is how many shards work on an operation on all of them at the same time.
const atOnce = 32

// cover calls method for all places from from to to, and take with the results, in
// the order of the places. Each place is seen once, by the shard that holds it.
func cover[S, A, R any](t *proclet.Thread, shards proclet.Ref[shardMap[S]], from, to uint64,
	method func(*S, *proclet.Thread, piece[A]) (part[R], error), arg A, take func(R)) error {
	arg, err := proclet.Carry(t, arg)
	if err != nil {
		return err
	}
	for from < to {
		var refs [atOnce]proclet.Ref[S]
		var pieces [atOnce]piece[A]
		var upTo [atOnce]uint64 // how far the shards have come
		n := 0
		for ; n < atOnce && from < to; n++ {
			e, err := find(t, shards, from)
			if err != nil {
				return err
			}
			refs[n], pieces[n] = proclet.RefTo[S](e.shard), piece[A]{from, min(to, e.high), arg}
			from = pieces[n].to
		}
		parts, err := proclet.CallMany(t, refs[:n], method, pieces[:n]...)
		many, failed := err.(*proclet.ManyError)
		if err != nil && !failed {
			return err
		}
		for i := range n {
			upTo[i] = parts[i].upTo
			if failed && many.Errs[i] != nil {
				if upTo[i] = pieces[i].from; !isElsewhere(many.Errs[i]) {
					return many.Errs[i]
				}
				unlearn(shards.ID(), upTo[i])
			}
		}
		many, err = nil, nil
		for i := range n {
			if upTo[i] > pieces[i].from {
				take(parts[i].result)
			}
			for upTo[i] < pieces[i].to { // the shard has split or moved on
				p, err := onePiece(t, shards, upTo[i], pieces[i].to, method, arg)
				if err != nil {
					return err
				}
				upTo[i] = p.upTo
				take(p.result)
			}
		}
	}
	return nil
}

// onePiece calls method for the first of the places from from to to, as many as
// are in one shard.
func onePiece[S, A, R any](t *proclet.Thread, shards proclet.Ref[shardMap[S]], from, to uint64,
	method func(*S, *proclet.Thread, piece[A]) (part[R], error), arg A) (part[R], error) {
	for try := 0; ; try++ {
		e, err := find(t, shards, from)
		if err != nil {
			return part[R]{}, err
		}
		res, err := proclet.Call(t, proclet.RefTo[S](e.shard), method, piece[A]{from, to, arg})
		if !isElsewhere(err) {
			return res, err
		}
		unlearn(shards.ID(), from)
		pause(t, try)
	}
}
