package rack

import (
	"context"
	"fmt"
	"maps"
)

// Names. A name, once bound, keeps its value as long as the rack lives. The
// directory has a majority of the members remember a binding before Bind
// returns, and tells all: no directory that is elected later can miss it.

// MaxName and MaxValue bound a name and its value, in bytes.
const (
	MaxName  = 1 << 10
	MaxValue = 64 << 10
)

// boundName is the value of a name, as the directory of an epoch proposed it.
// Of two the later proposal counts; a decided one is never followed by another
// value.
type boundName struct {
	Value   []byte
	Epoch   uint64
	Serial  uint64
	Decided bool `json:",omitempty"`
}

func (n boundName) before(o boundName) bool {
	return n.Epoch < o.Epoch || n.Epoch == o.Epoch && n.Serial < o.Serial
}

// Bind gives name a value unless it has one, and returns the value that it
// has: the first binder wins. It fails with ErrNoDirectory while there is no
// directory; the name may be bound nevertheless.
func (r *Rack) Bind(ctx context.Context, name string, value []byte) (current []byte, err error) {
	if len(name) > MaxName || len(value) > MaxValue {
		return nil, fmt.Errorf("%w: name of %d bytes, value of %d", ErrTooLarge, len(name), len(value))
	}
	if current, ok := r.nameOf(name); ok {
		return current, nil
	}
	a, err := r.askDirectory(ctx, &directoryMessage{Op: opBind, Name: name, Value: value})
	if err != nil {
		return nil, err
	}
	r.decided(name, a.Value)
	return a.Value, nil
}

// Resolve returns the value of a name, or ErrNotFound. Names that this machine
// has bound or resolved before are known without a directory.
func (r *Rack) Resolve(ctx context.Context, name string) ([]byte, error) {
	if value, ok := r.nameOf(name); ok {
		return value, nil
	}
	a, err := r.askDirectory(ctx, &directoryMessage{Op: opResolve, Name: name})
	if err != nil {
		return nil, err
	}
	if !a.Found {
		return nil, fmt.Errorf("%w: name %q", ErrNotFound, name)
	}
	r.decided(name, a.Value)
	return a.Value, nil
}

// nameOf returns a copy of the decided value of a name.
func (r *Rack) nameOf(name string) ([]byte, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, ok := r.names[name]
	return append([]byte{}, n.Value...), ok && n.Decided
}

func (r *Rack) decided(name string, value []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.names[name]
	n.Value, n.Decided = append([]byte{}, value...), true
	r.names[name] = n
}

// learnNames remembers what others know.
func (r *Rack) learnNames(names map[string]boundName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, n := range names {
		if old, known := r.names[name]; !known || !old.Decided && (n.Decided || old.before(n)) {
			r.names[name] = n
		}
	}
}

// acceptNames remembers what the directory of an epoch proposes, unless a
// later one has been promised.
func (r *Rack) acceptNames(epoch uint64, names map[string]boundName) bool {
	r.mu.Lock()
	ok := epoch >= r.acceptor.promised
	r.mu.Unlock()
	if ok {
		r.learnNames(names)
	}
	return ok
}

// bind runs opBind on the directory. Views and names are proposed by one
// goroutine at a time, so that two values for a name cannot both win.
func (r *Rack) bind(ctx context.Context, name string, value []byte) ([]byte, error) {
	if err := r.proposing.take(ctx); err != nil {
		return nil, ErrNoDirectory
	}
	defer r.proposing.pass()
	if current, ok := r.nameOf(name); ok {
		return current, nil
	}
	r.mu.Lock()
	if r.directory == nil {
		r.mu.Unlock()
		return nil, ErrNoDirectory
	}
	v := r.view
	r.bindings++
	n := boundName{Value: value, Epoch: r.directory.epoch, Serial: r.bindings}
	r.mu.Unlock()
	if !r.proposeNames(ctx, &v, n.Epoch, map[string]boundName{name: n}) {
		return nil, ErrNoDirectory
	}
	r.decided(name, value)
	return value, nil
}

// bindAgain proposes, in the epoch of a new directory, every name that it has
// learned of, since a binding that was not decided may be known to a few only.
func (r *Rack) bindAgain(ctx context.Context, v *View) bool {
	r.mu.Lock()
	names := maps.Clone(r.names)
	r.mu.Unlock()
	for name, n := range names {
		n.Epoch, n.Serial = v.Epoch, 0
		if !r.proposeNames(ctx, v, v.Epoch, map[string]boundName{name: n}) {
			return false
		}
		r.decided(name, n.Value)
	}
	return true
}

// proposeNames returns whether enough members remember names.
func (r *Rack) proposeNames(ctx context.Context, v *View, epoch uint64, names map[string]boundName) bool {
	agree := map[uint64]bool{r.e.nonce: true}
	r.canvass(ctx, r.others(v), &viewMessage{Op: opName, Epoch: epoch, Names: names}, func(from uint64, a *viewAnswer) bool {
		if a.OK {
			agree[from] = true
		}
		return v.quorum(agree, r.certainlyGone(), 0)
	})
	return v.quorum(agree, r.certainlyGone(), 0)
}
