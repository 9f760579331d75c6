package dist

import "nuos/proclet"

// Options say how a structure spreads over proclets. The zero value is a good
// choice.
type Options struct {
	// ShardBytes is how many bytes a shard may use before it is split; shards that
	// use less than a quarter of it merge with a neighbour. Small shards move
	// quickly: the default, 2 MiB, is a fraction of a millisecond on a fast
	// network. A shard's heap may grow to four times as much, for large entries
	// and for the time until it is split.
	ShardBytes uint64

	// Shards is how many shards a HashTable starts with; default 1. The other
	// structures start with one.
	Shards int

	// Waiting is how many calls may wait for a shard, on average, before it is
	// split because of its load; default 10.
	Waiting int
}

const (
	defaultShardBytes = 2 << 20
	defaultWaiting    = 10
	maxShards         = 1 << 20
)

func (o Options) withDefaults() Options {
	if o.ShardBytes == 0 {
		o.ShardBytes = defaultShardBytes
	}
	if o.Waiting <= 0 {
		o.Waiting = defaultWaiting
	}
	o.Shards = min(max(o.Shards, 1), maxShards)
	return o
}

// proclet returns how the proclet of a shard is made.
func (o Options) proclet() proclet.Options { return proclet.Options{Capacity: 4 * o.ShardBytes} }
