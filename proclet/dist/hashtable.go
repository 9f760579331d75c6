package dist

import (
	"iter"

	"nuos/proclet"
)

// HashTable is a hash table whose entries lie in shards, proclets anywhere in the
// rack. It is a small value that refers to it, like a [proclet.Ref]: it may be
// copied, kept in state and passed to calls; whoever has it may use it, any number
// at once. The zero value refers to nothing.
//
// K is a key type of [proclet.Map]. V is a type that can be kept in state and
// passed to calls: made of numbers, proclet.String, arrays, structs and Refs.
//
// Each operation on one key is executed exactly once and alone, or fails like a
// call.
type HashTable[K comparable, V any] struct {
	handle[hashShard[K, V]]
}

// NewHashTable makes an empty table. See [proclet.New] for the errors.
func NewHashTable[K comparable, V any](t *proclet.Thread, o Options) (HashTable[K, V], error) {
	h, err := establish(t, o, (*hashShard[K, V]).start)
	return HashTable[K, V]{h}, err
}

// Keep makes h, a part of the state, hold the table that from refers to; what it held
// before is given back. See [proclet.Ref.Set].
func (h *HashTable[K, V]) Keep(t *proclet.Thread, from HashTable[K, V]) error {
	return h.shards.Set(t, from.shards)
}

// Clone makes t's method, or the ordinary goroutine, hold the table once more.
func (h HashTable[K, V]) Clone(t *proclet.Thread) (HashTable[K, V], error) {
	shards, err := h.shards.Clone(t)
	return HashTable[K, V]{handle[hashShard[K, V]]{shards}}, err
}

// OpenHashTable returns the table that a name is bound to; see [HashTable.Bind].
func OpenHashTable[K comparable, V any](t *proclet.Thread, name string) (HashTable[K, V], error) {
	shards, err := proclet.Lookup[shardMap[hashShard[K, V]]](t, name)
	return HashTable[K, V]{handle[hashShard[K, V]]{shards}}, err
}

// Get returns the value of k and whether there is one.
func (h HashTable[K, V]) Get(t *proclet.Thread, k K) (V, bool, error) {
	f, err := operate(t, h.shards, placeOf(k), (*hashShard[K, V]).get, k, (*hashShard[K, V]).reshape)
	return f.value, f.ok, err
}

// Put gives k the value v.
func (h HashTable[K, V]) Put(t *proclet.Thread, k K, v V) error {
	_, err := operate(t, h.shards, placeOf(k), (*hashShard[K, V]).put, Pair[K, V]{k, v}, (*hashShard[K, V]).reshape)
	return err
}

// Delete removes k and reports whether it was there.
func (h HashTable[K, V]) Delete(t *proclet.Thread, k K) (bool, error) {
	return operate(t, h.shards, placeOf(k), (*hashShard[K, V]).remove, k, (*hashShard[K, V]).reshape)
}

// Apply runs fn on the value of k, where that lies: nothing else happens to the
// shard meanwhile. If k has no value it gets the zero value first, unless fn
// fails. fn is a function that captures nothing or a method expression, such as
//
//	n, err := dist.Apply(t, hits, key, (*Hits).Add, 1)
//
// The *V is valid until fn returns. Strings in it are changed with their methods.
// fn should be quick, and must not use the same table, which might wait for it. A
// panic of fn reaches the caller as *proclet.PanicError; what it did remains.
func Apply[K comparable, V, A, R any](t *proclet.Thread, h HashTable[K, V], k K, fn func(v *V, t *proclet.Thread, arg A) (R, error), arg A) (R, error) {
	f, err := proclet.FuncOf(fn)
	if err != nil {
		var none R
		return none, err
	}
	return operate(t, h.shards, placeOf(k), applyAt[K, V, A, R], application[K, V, A, R]{k, f, arg}, (*hashShard[K, V]).reshape)
}

// Reduce combines all entries into one value, at all shards at the same time: each
// starts with zero and adds its entries, in no particular order, and what they
// arrive at is combined. So zero must change nothing when it is combined, and
// combine must be associative and commutative. add runs at the shards: it must
// capture nothing, must not block, and what it returns may refer to the entry.
//
// An entry that is there all the time counts once, whatever splits, merges and
// moves meanwhile. One that is put or deleted meanwhile may count or not.
func Reduce[K comparable, V, R any](t *proclet.Thread, h HashTable[K, V], zero R, add func(R, *K, *V) R, combine func(R, R) R) (R, error) {
	f, err := proclet.FuncOf(add)
	if err != nil {
		return zero, err
	}
	acc := zero
	err = cover(t, h.shards, 0, endOfPlaces, reduceAt[K, V, R], reduction[K, V, R]{zero, f},
		func(r R) { acc = combine(acc, r) })
	return acc, err
}

// Len returns the number of entries; see [Reduce].
func (h HashTable[K, V]) Len(t *proclet.Thread) (n int, err error) {
	err = cover(t, h.shards, 0, endOfPlaces, (*hashShard[K, V]).count, struct{}{}, func(m int) { n += m })
	return n, err
}

// Page returns some entries, and the cursor with which to go on; it starts with
// cursor 0 and is over when that is 0 again. An entry that is there all the time
// is given exactly once. The order means nothing.
func (h HashTable[K, V]) Page(t *proclet.Thread, cursor uint64) ([]Pair[K, V], uint64, error) {
	for {
		p, err := onePiece(t, h.shards, cursor, endOfPlaces, (*hashShard[K, V]).page, struct{}{})
		if err != nil {
			return nil, cursor, err
		}
		if cursor = p.upTo % endOfPlaces; cursor == 0 || len(p.result) > 0 {
			return p.result, cursor, nil
		}
	}
}

// Entries goes through a HashTable; see [HashTable.Entries].
type Entries[K comparable, V any] struct {
	table HashTable[K, V]
	t     *proclet.Thread
	err   error
}

// Entries prepares a walk through the table:
//
//	entries := table.Entries(t)
//	for k, v := range entries.All() {
//		...
//	}
//	if err := entries.Err(); err != nil { ... }
//
// Entries come shard by shard, some at a time; see [HashTable.Page], which is for
// methods that block or run for long between entries: a loop over All keeps a
// method from moving.
func (h HashTable[K, V]) Entries(t *proclet.Thread) *Entries[K, V] {
	return &Entries[K, V]{table: h, t: t}
}

// All iterates over the entries until there are no more, or an error.
func (e *Entries[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			var page []Pair[K, V]
			if page, cursor, e.err = e.table.Page(e.t, cursor); e.err != nil {
				return
			}
			for _, p := range page {
				if !yield(p.Key, p.Value) {
					return
				}
			}
		}
	}
}

// Err returns the error that ended All early, or nil.
func (e *Entries[K, V]) Err() error { return e.err }
