package proclet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"nuos/rack"
)

// A name of the rack, once bound, keeps its value for ever. So what we call a name
// is a row of those: name, name/1, name/2 and so on. Each is bound to a proclet
// by whoever comes first, and is used up when that has ended, or when its tomb,
// another name of the rack, has been bound. The first one that is not used up
// counts. Whoever has bound the tomb gives back the count that the name held.

// nameAt returns the rack's name of link n of a name's row.
func nameAt(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "\x00" + strconv.Itoa(n)
}

func tombOf(link string) string { return link + "\x00" }

// Bind gives name to the proclet that ref refers to, in the whole rack. The name
// holds the proclet until [Unbind] or [Destroy]. If another proclet has the name
// the error is ErrNameTaken. After an error of the rack the name may be bound or
// not, and the proclet is held for it in any case.
func Bind[S any](t *Thread, name string, ref Ref[S]) error {
	got, err := bind(t, name, ref)
	if err != nil {
		return err
	}
	if got != ref {
		err = fmt.Errorf("%w: %s is %v", ErrNameTaken, name, got.id)
		Release(t, got)
	}
	return err
}

// Lookup returns the proclet that name is bound to, which t's method, or the
// ordinary goroutine, then holds. ErrNoName if there is none, ErrType if it has
// another state type.
func Lookup[S any](t *Thread, name string) (Ref[S], error) {
	for n := 0; ; n++ {
		value, err := t.runtime().link(nameAt(name, n))
		if errors.Is(err, rack.ErrNotFound) {
			return Ref[S]{}, fmt.Errorf("%w: %s", ErrNoName, name)
		}
		if err != nil {
			return Ref[S]{}, err
		}
		ref, err := lookUp[S](t, name, value)
		if !isGone(err) {
			return ref, err
		}
	}
}

// Unbind takes the name from the proclet that has it, and gives back the count
// that it held. The name may be bound again. ErrNoName if nothing is bound to it.
func Unbind(t *Thread, name string) error {
	rt := t.runtime()
	for n := 0; ; n++ {
		link := nameAt(name, n)
		value, err := rt.link(link)
		if errors.Is(err, rack.ErrNotFound) {
			return fmt.Errorf("%w: %s", ErrNoName, name)
		}
		if err != nil {
			return err
		}
		if value == nil {
			continue
		}
		v, err := decodeName(value)
		if err != nil {
			return err
		}
		// A proclet that has ended does not have a name any more.
		if err := t.acquire(handle{id: v.id}); isGone(err) {
			continue
		} else if err != nil {
			return err
		}
		defer Release(t, Ref[struct{}]{v.id})
		mine := v.attempt(rt)
		tomb, err := rt.net.Bind(context.Background(), tombOf(link), mine)
		if err != nil {
			return err
		}
		if bytes.Equal(tomb, mine) {
			rt.giveBack(handle{id: v.id}, 1)
			return nil
		}
	}
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
		Release(t, mine)
	}
	return ref, err
}

// bind binds a name unless it is bound, and returns what it is bound to. The
// caller holds that, as it does ref.
func bind[S any](t *Thread, name string, ref Ref[S]) (Ref[S], error) {
	if err := t.acquire(handle{id: ref.id}); err != nil {
		return Ref[S]{}, err
	}
	held := true // a count for the name
	defer func() {
		if held {
			Release(t, ref)
		}
	}()
	rt := t.runtime()
	for n := 0; ; n++ {
		mine := boundName{ref.id, offsetOf[stateKind](kindOf[S]{})}.attempt(rt)
		link := nameAt(name, n)
		value, err := rt.net.Bind(context.Background(), link, mine)
		if err != nil || bytes.Equal(value, mine) {
			t.disown(handle{id: ref.id}) // on an error the name may be bound nevertheless
			held = false
			return ref, err
		}
		if value, err = rt.link(link); err != nil {
			return Ref[S]{}, err
		}
		got, err := lookUp[S](t, name, value)
		if isGone(err) {
			continue
		}
		if err == nil && got == ref {
			Release(t, got)
		}
		return got, err
	}
}

// link returns the value of a name of the rack, nil if it is used up.
func (rt *Runtime) link(link string) ([]byte, error) {
	value, err := rt.net.Resolve(context.Background(), link)
	if err != nil {
		return nil, err
	}
	// Without a directory tombs are not found that this machine has not seen
	// before; the names that it has seen still are.
	if _, err := rt.net.Resolve(context.Background(), tombOf(link)); err == nil {
		return nil, nil
	}
	return value, nil
}

// lookUp makes t's method hold the proclet that a name is bound to. The error says
// that it is gone if the name is used up.
func lookUp[S any](t *Thread, name string, value []byte) (Ref[S], error) {
	if value == nil {
		return Ref[S]{}, ErrNoProclet
	}
	v, err := decodeName(value)
	if err != nil {
		return Ref[S]{}, err
	}
	err = t.acquire(handle{id: v.id})
	if err == nil && v.kind != offsetOf[stateKind](kindOf[S]{}) {
		err = fmt.Errorf("%w: %s names a proclet with another state type", ErrType, name)
		Release(t, Ref[S]{v.id})
	}
	if err != nil {
		return Ref[S]{}, err
	}
	return Ref[S]{v.id}, nil
}

// boundName is what a name is bound to, with the state type, so that a Lookup with
// another one is noticed.
type boundName struct {
	id   ID
	kind offset
}

// attempt encodes v with a number that no other attempt to bind it has.
func (v boundName) attempt(rt *Runtime) []byte {
	b := binary.AppendUvarint(appendID(nil, v.id), uint64(v.kind))
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(rt.self)), rt.attempts.Add(1))
}

func decodeName(value []byte) (v boundName, err error) {
	d := &decoder{value}
	if v.id, err = d.id(); err != nil {
		return v, err
	}
	kind, err := d.uint()
	v.kind = offset(kind)
	return v, err
}
