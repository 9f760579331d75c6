package proclet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

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
// not, and the proclet is held for it in any case. Bind is a safe point, like the other
// functions for names.
func Bind[S any](t *Thread, name string, ref Ref[S]) error {
	name, agent := strings.Clone(name), t.agent()
	_, err := t.errand(func() (ID, error) {
		got, err := agent.bind(name, ref.id, offsetOf[stateKind](kindOf[S]{}))
		if err == nil && got != ref.id {
			agent.runtime().drop(got)
			err = fmt.Errorf("%w: %s is %v", ErrNameTaken, name, got)
		}
		return ID{}, err
	}, nil)
	return err
}

// Lookup returns the proclet that name is bound to, which t's method, or the
// ordinary goroutine, then holds. ErrNoName if there is none, ErrType if it has
// another state type.
func Lookup[S any](t *Thread, name string) (Ref[S], error) {
	name, agent := strings.Clone(name), t.agent()
	id, err := t.fetch(func() (ID, error) { return agent.lookUp(name, offsetOf[stateKind](kindOf[S]{})) })
	return Ref[S]{id}, err
}

// Unbind takes the name from the proclet that has it, and gives back the count
// that it held. The name may be bound again. ErrNoName if nothing is bound to it.
func Unbind(t *Thread, name string) error {
	name, agent := strings.Clone(name), t.agent()
	_, err := t.errand(func() (ID, error) { return ID{}, agent.unbind(name) }, nil)
	return err
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
	ref, err = bindOr(t, name, mine)
	if err != nil || ref != mine {
		err = errors.Join(err, Destroy(t, mine))
		Release(t, mine)
	}
	return ref, err
}

// bindOr binds a name unless it is bound, and returns what it is bound to. The
// caller holds that, as it does ref.
func bindOr[S any](t *Thread, name string, ref Ref[S]) (Ref[S], error) {
	name, agent := strings.Clone(name), t.agent()
	id, err := t.fetch(func() (ID, error) {
		got, err := agent.bind(name, ref.id, offsetOf[stateKind](kindOf[S]{}))
		if got == ref.id {
			got = ID{} // the caller's already
		}
		return got, err
	})
	if err == nil && id.IsZero() {
		return ref, nil
	}
	return Ref[S]{id}, err
}

// What follows is done by ordinary goroutines, or by agents for threads.

// bind binds a name to a proclet unless it is bound, and returns what it is bound to. If
// that is another one the caller gets a count of it.
func (t *Thread) bind(name string, id ID, kind offset) (got ID, err error) {
	rt := t.runtime()
	if err := t.retain(handle{id: id}); err != nil {
		return ID{}, err
	}
	held := true // a count for the name
	defer func() {
		if held {
			rt.drop(id)
		}
	}()
	for n := 0; ; n++ {
		mine := boundName{id, kind}.attempt(rt)
		link := nameAt(name, n)
		value, err := rt.net.Bind(context.Background(), link, mine)
		if err != nil || bytes.Equal(value, mine) {
			held = false // on an error the name may be bound nevertheless
			return id, err
		}
		if value, err = rt.link(link); err != nil {
			return ID{}, err
		}
		got, err := t.named(name, value, kind)
		if isGone(err) {
			continue
		}
		if got == id {
			rt.drop(got)
		}
		return got, err
	}
}

// lookUp acquires a count of the proclet that has a name.
func (t *Thread) lookUp(name string, kind offset) (ID, error) {
	for n := 0; ; n++ {
		value, err := t.runtime().link(nameAt(name, n))
		if errors.Is(err, rack.ErrNotFound) {
			return ID{}, fmt.Errorf("%w: %s", ErrNoName, name)
		}
		if err != nil {
			return ID{}, err
		}
		id, err := t.named(name, value, kind)
		if !isGone(err) {
			return id, err
		}
	}
}

func (t *Thread) unbind(name string) error {
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
		if err := t.retain(handle{id: v.id}); isGone(err) {
			continue
		} else if err != nil {
			return err
		}
		defer rt.drop(v.id)
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

// named acquires a count of the proclet that a name is bound to. The error says that
// it is gone if the name is used up.
func (t *Thread) named(name string, value []byte, kind offset) (ID, error) {
	if value == nil {
		return ID{}, ErrNoProclet
	}
	v, err := decodeName(value)
	if err != nil {
		return ID{}, err
	}
	if err := t.retain(handle{id: v.id}); err != nil {
		return ID{}, err
	}
	if v.kind != kind {
		t.runtime().drop(v.id)
		return ID{}, fmt.Errorf("%w: %s names a proclet with another state type", ErrType, name)
	}
	return v.id, nil
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
