package rack

import (
	"context"
	"fmt"
	"slices"
)

// Names. A name, once bound, keeps its value as long as the rack lives.

// MaxName and MaxValue bound a name and its value, in bytes.
const (
	MaxName  = 1 << 10
	MaxValue = 64 << 10
)

// Bind gives name a value unless it has one, and returns the value that it
// has: the first binder wins. It fails with ErrNoDirectory while there is no
// directory; the name may be bound nevertheless.
func (r *Rack) Bind(ctx context.Context, name string, value []byte) (current []byte, err error) {
	if len(name) > MaxName || len(value) > MaxValue {
		return nil, fmt.Errorf("%w: name of %d bytes, value of %d", ErrTooLarge, len(name), len(value))
	}
	return r.name(ctx, &directoryMessage{Op: opBind, Name: name, Value: value})
}

// Resolve returns the value of a name, or ErrNotFound. Names that this machine
// has bound or resolved before are known without a directory.
func (r *Rack) Resolve(ctx context.Context, name string) ([]byte, error) {
	return r.name(ctx, &directoryMessage{Op: opResolve, Name: name})
}

func (r *Rack) name(ctx context.Context, m *directoryMessage) ([]byte, error) {
	r.mu.Lock()
	value, known := r.names[m.Name]
	r.mu.Unlock()
	if known {
		return slices.Clone(value), nil
	}
	a, err := r.askDirectory(ctx, m)
	if err != nil {
		return nil, err
	}
	if !a.Found {
		return nil, fmt.Errorf("%w: name %q", ErrNotFound, m.Name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[m.Name] = slices.Clone(a.Value)
	return append([]byte{}, a.Value...), nil
}
