package dist

import (
	"sync/atomic"

	"nuos/proclet"
)

// MemPool is memory for objects anywhere in the rack. Objects of any type are made
// in shards, proclets that move as they like, and used through remote pointers.
// An object stays in its shard, because pointers to it say where it is; a shard
// that is full gets no more objects until half of its bytes are free again, and a
// busy one shares new objects with another shard.
//
// A MemPool is a small value that refers to the memory, like a [proclet.Ref].
type MemPool struct {
	pool proclet.Ref[pool]
}

// NewMemPool makes an empty pool. Of o, ShardBytes and Waiting count. See
// [proclet.New] for the errors.
func NewMemPool(t *proclet.Thread, o Options) (MemPool, error) {
	p, err := proclet.New[pool](t, proclet.Options{})
	if err != nil {
		return MemPool{}, err
	}
	if _, err := proclet.Call(t, p, (*pool).start, o.withDefaults()); err != nil {
		proclet.Release(t, p)
		return MemPool{}, err
	}
	return MemPool{p}, nil
}

// OpenMemPool returns the pool that a name is bound to; see [MemPool.Bind].
func OpenMemPool(t *proclet.Thread, name string) (MemPool, error) {
	p, err := proclet.Lookup[pool](t, name)
	return MemPool{p}, err
}

// Alloc makes an object with a copy of v and returns a pointer that does not hold
// it: it lives until [proclet.RemotePtr.Free], or until the pool ends. T is a type
// that can be kept in state and passed to calls.
func Alloc[T any](t *proclet.Thread, p MemPool, v T) (proclet.RemotePtr[T], error) {
	return allocate(t, p, allocRaw[T], v)
}

// AllocUnique is [Alloc] for an object with one owner, the caller.
func AllocUnique[T any](t *proclet.Thread, p MemPool, v T) (proclet.RemoteUnique[T], error) {
	return allocate(t, p, allocUnique[T], v)
}

// AllocShared is [Alloc] for an object that its holders share. The first one is the
// caller.
func AllocShared[T any](t *proclet.Thread, p MemPool, v T) (proclet.RemoteShared[T], error) {
	return allocate(t, p, allocShared[T], v)
}

// allocate calls method of a shard that has room.
func allocate[T, P any](t *proclet.Thread, p MemPool, method func(*poolShard, *proclet.Thread, T) (answer[P], error), v T) (P, error) {
	var none P
	v, err := proclet.Carry(t, v)
	if err != nil {
		return none, err
	}
	for try := 0; ; try++ {
		shard, ok := roomy(p.pool.ID())
		if !ok {
			if err := p.look(t, request{}); err != nil {
				return none, err
			}
			continue
		}
		a, err := proclet.Call(t, proclet.RefTo[poolShard](shard), method, v)
		switch {
		case err == nil:
			if a.wish != content {
				p.look(t, request{shard, a.wish}) // the object is made, whether or not there will be room for more
			}
			return a.Result, nil
		case isElsewhere(err):
			if err := p.look(t, request{shard, wantMerge}); err != nil {
				return none, err
			}
			pause(t, try)
		default:
			return none, err
		}
	}
}

// look asks where there is room, and tells about a shard.
func (p MemPool) look(t *proclet.Thread, r request) error {
	shards, err := proclet.Call(t, p.pool, (*pool).room, r)
	if err != nil {
		knownPools.forget(p.pool.ID())
		return err
	}
	all := append([]proclet.ID(nil), shards...)
	knownPools.learn(p.pool.ID()).shards.Store(&all)
	return nil
}

// roomyShards is what this machine knows of the shards of a pool.
type roomyShards struct {
	shards atomic.Pointer[[]proclet.ID]
	next   atomic.Uint32 // they get objects in turn
}

var knownPools knowledge[roomyShards]

// roomy returns the next shard with room of a pool.
func roomy(pool proclet.ID) (proclet.ID, bool) {
	r := knownPools.about(pool)
	if r == nil {
		return proclet.ID{}, false
	}
	all := r.shards.Load()
	if all == nil || len(*all) == 0 {
		return proclet.ID{}, false
	}
	return (*all)[int(r.next.Add(1))%len(*all)], true
}

// PoolStats describes a [MemPool].
type PoolStats struct {
	Shards int
	Roomy  int    // of these, those that get new objects
	Bytes  uint64 // that objects use in all shards
}

// Stats returns how large the pool is.
func (p MemPool) Stats(t *proclet.Thread) (PoolStats, error) {
	return proclet.Call(t, p.pool, (*pool).stats, struct{}{})
}

// Trim ends shards that are empty, except one, and has those that have room again
// get new objects.
func (p MemPool) Trim(t *proclet.Thread) error {
	_, err := proclet.Call(t, p.pool, (*pool).trim, struct{}{})
	if err == nil {
		err = p.look(t, request{})
	}
	return err
}

// IsZero reports whether p refers to nothing.
func (p MemPool) IsZero() bool { return p.pool.IsZero() }

// Bind gives the pool a name in the rack; see [proclet.Bind].
func (p MemPool) Bind(t *proclet.Thread, name string) error { return proclet.Bind(t, name, p.pool) }

// Keep makes p, a part of the state, hold the pool that from refers to; what it held
// before is given back. See [proclet.Ref.Set].
func (p *MemPool) Keep(t *proclet.Thread, from MemPool) error { return p.pool.Set(t, from.pool) }

// Drop gives back what p, a part of the state, holds.
func (p *MemPool) Drop(t *proclet.Thread) { p.pool.Drop(t) }

// Clone makes t's method, or the ordinary goroutine, hold the pool once more.
func (p MemPool) Clone(t *proclet.Thread) (MemPool, error) {
	c, err := p.pool.Clone(t)
	return MemPool{c}, err
}

// Release gives back what t's method, or the ordinary goroutine, holds. When nobody
// holds the pool any more it ends, and with it every object that no RemoteUnique
// or RemoteShared holds.
func (p MemPool) Release(t *proclet.Thread) error { return proclet.Release(t, p.pool) }

// Destroy ends the pool whoever holds it; see Release.
func (p MemPool) Destroy(t *proclet.Thread) error {
	knownPools.forget(p.pool.ID())
	return proclet.Destroy(t, p.pool)
}
