package dist

import (
	"maps"
	"sync"
	"sync/atomic"

	"nuos/proclet"
)

// knowledge is what this machine knows of structures, by the proclets that their
// handles refer to. It lies in Go's heap. A method that uses it must not hold on to
// what it finds across a call, because the method may move; it looks again.
//
// Structures are got to know rarely, so that the map is copied for each.
type knowledge[V any] struct {
	mu sync.Mutex // for changes
	of atomic.Pointer[map[proclet.ID]*V]
}

// about returns what is known about a structure, or nil.
func (k *knowledge[V]) about(id proclet.ID) *V {
	if m := k.of.Load(); m != nil {
		return (*m)[id]
	}
	return nil
}

// learn returns what is known about a structure, to be added to.
func (k *knowledge[V]) learn(id proclet.ID) *V {
	if v := k.about(id); v != nil {
		return v
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if v := k.about(id); v != nil {
		return v
	}
	v := new(V)
	k.change(func(m map[proclet.ID]*V) { m[id] = v })
	return v
}

// forget drops what is known about a structure.
func (k *knowledge[V]) forget(id proclet.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.about(id) != nil {
		k.change(func(m map[proclet.ID]*V) { delete(m, id) })
	}
}

func (k *knowledge[V]) change(f func(map[proclet.ID]*V)) {
	m := map[proclet.ID]*V{}
	if old := k.of.Load(); old != nil {
		m = maps.Clone(*old)
	}
	f(m)
	k.of.Store(&m)
}
