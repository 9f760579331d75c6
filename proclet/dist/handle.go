package dist

import "nuos/proclet"

// handle is what the handles of all structures have in common. It keeps a
// structure alive as a [proclet.Ref] keeps a proclet, and who holds it follows the
// same rules: in the state it is set with Keep and cleared with Drop, never
// assigned; ordinary goroutines hold what they get until Release.
type handle[S any] struct {
	shards proclet.Ref[shardMap[S]]
}

// IsZero reports whether the handle refers to nothing.
func (h handle[S]) IsZero() bool { return h.shards.IsZero() }

// Bind gives the structure a name in the rack, under which Open finds it; see
// [proclet.Bind].
func (h handle[S]) Bind(t *proclet.Thread, name string) error {
	return proclet.Bind(t, name, h.shards)
}

// Release gives back what t's method, or the ordinary goroutine, holds; see
// [proclet.Release]. A structure ends when nobody holds it any more.
func (h handle[S]) Release(t *proclet.Thread) error { return proclet.Release(t, h.shards) }

// Drop gives back what the handle, a part of the state, holds.
func (h *handle[S]) Drop(t *proclet.Thread) { h.shards.Drop(t) }

// Destroy ends the structure, whoever holds it. Operations that come later get
// proclet.ErrNoProclet; those that are going on may succeed or fail.
func (h handle[S]) Destroy(t *proclet.Thread) error {
	known.forget(h.shards.ID())
	return proclet.Destroy(t, h.shards) // the shards end because nobody holds them any more
}
