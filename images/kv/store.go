package main

import (
	"fmt"
	"strings"

	"nuos/proclet"
)

// Store is the whole key space: shards that lie anywhere in the rack and move
// as they like. Every machine has one; all are alike.
type Store struct {
	shards []proclet.Ref[Shard]
}

// index of the shard that holds key.
func (s *Store) index(key string) int { return int((hash(key) >> scanBits) % uint64(len(s.shards))) }

// target is an Op and the shard that it is for.
type target struct {
	shard int
	op    Op
}

// Do carries out ops and returns a reply for each. Ops for the same shard are
// carried out in order in one call, different shards at the same time. When a
// shard cannot be reached its ops fail, and the others are done all the same.
func (s *Store) Do(t *proclet.Thread, targets []target) []Reply {
	replies := make([]Reply, len(targets))
	batches := make(map[int][]Op)
	for _, g := range targets {
		batches[g.shard] = append(batches[g.shard], g.op)
	}
	results := make(map[int][]Reply, len(batches))
	if len(batches) == 1 {
		for shard, ops := range batches {
			results[shard] = answer(ops)(proclet.Call(t, s.shards[shard], (*Shard).Apply, ops))
		}
	} else {
		futures := make(map[int]*proclet.Future[[]Reply], len(batches))
		for shard, ops := range batches {
			futures[shard] = proclet.Go(t, s.shards[shard], (*Shard).Apply, ops)
		}
		for shard, f := range futures {
			results[shard] = answer(batches[shard])(f.Wait(t))
		}
	}
	for i, g := range targets {
		replies[i] = results[g.shard][0]
		results[g.shard] = results[g.shard][1:]
	}
	return replies
}

// answer turns the outcome of a call into one reply for each of its ops.
func answer(ops []Op) func([]Reply, error) []Reply {
	return func(replies []Reply, err error) []Reply {
		if err == nil && len(replies) != len(ops) {
			err = fmt.Errorf("%d replies to %d operations", len(replies), len(ops))
		}
		if err == nil {
			return replies
		}
		replies = make([]Reply, len(ops))
		for i := range replies {
			replies[i] = failed("ERR shard unavailable: " + strings.ReplaceAll(err.Error(), "\n", " "))
		}
		return replies
	}
}
