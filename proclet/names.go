package proclet

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"nuos/rack"
)

// Bind gives name to the proclet that ref refers to, in the whole rack and for as
// long as that exists. If another proclet has the name the error is ErrNameTaken.
func Bind[S any](t *Thread, name string, ref Ref[S]) error {
	got, err := bind[S](t, name, ref)
	if err == nil && got != ref {
		err = fmt.Errorf("%w: %s is %v", ErrNameTaken, name, got.id)
	}
	return err
}

// bind binds a name unless it is bound, and returns what it is bound to.
func bind[S any](t *Thread, name string, ref Ref[S]) (Ref[S], error) {
	value, err := t.runtime().net.Bind(context.Background(), name, appendName(ref.id, offsetOf[stateKind](kindOf[S]{})))
	if err != nil {
		return Ref[S]{}, err
	}
	return named[S](name, value)
}

// Lookup returns the proclet that name was bound to. ErrNoName if there is
// none, ErrType if it has another state type.
func Lookup[S any](t *Thread, name string) (Ref[S], error) {
	value, err := t.runtime().net.Resolve(context.Background(), name)
	if errors.Is(err, rack.ErrNotFound) {
		return Ref[S]{}, fmt.Errorf("%w: %s", ErrNoName, name)
	}
	if err != nil {
		return Ref[S]{}, err
	}
	return named[S](name, value)
}

// Singleton returns the proclet bound to name; if there is none it calls create
// and binds what that made. When several machines do this at once all get the
// same proclet, and the other ones are destroyed.
func Singleton[S any](t *Thread, name string, create func(*Thread) (Ref[S], error)) (Ref[S], error) {
	ref, err := Lookup[S](t, name)
	if !errors.Is(err, ErrNoName) {
		return ref, err
	}
	mine, err := create(t)
	if err != nil {
		return ref, err
	}
	ref, err = bind(t, name, mine)
	if err != nil || ref != mine {
		err = errors.Join(err, Destroy(t, mine))
	}
	return ref, err
}

// named decodes the value of a name. It ends with the state type, so that a
// Lookup with another one is noticed.
func named[S any](name string, value []byte) (Ref[S], error) {
	d := &decoder{value}
	id, err := d.id()
	if err != nil {
		return Ref[S]{}, err
	}
	if !bytes.Equal(value, appendName(id, offsetOf[stateKind](kindOf[S]{}))) {
		return Ref[S]{}, fmt.Errorf("%w: %s names a proclet with another state type", ErrType, name)
	}
	return Ref[S]{id}, nil
}
