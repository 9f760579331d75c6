package proclet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"nuos/mm"
	"nuos/rack"
)

// MethodError is what a caller gets when a method returned an error that is not
// itself a registered one: its text, and the errors in it that were registered or
// have registered types. The error value stays behind, because it may refer to the
// proclet's heap or to another machine's memory.
type MethodError struct {
	Text string
	Is   []error
}

func (e *MethodError) Error() string { return e.Text }

// whole returns e, or, if the error that e describes has the type of the only one
// that was found in it, that one.
func (e *MethodError) whole(t reflect.Type) error {
	if len(e.Is) == 1 && reflect.TypeOf(e.Is[0]) == t && e.Is[0].Error() == e.Text {
		return e.Is[0]
	}
	return e
}

// Unwrap makes errors.Is and errors.As find the registered errors.
func (e *MethodError) Unwrap() []error { return e.Is }

// sentinels are the errors that keep their identity between machines. Their
// texts are their names.
var sentinels struct {
	mu     sync.RWMutex
	byText map[string]error
	text   map[error]string
}

// RegisterErrors makes errors keep their identity on the way from a method to
// its caller, so that errors.Is finds them. It belongs into the initialisation of
// the package that declares them, because all machines must have registered
// them. It panics if two have the same text or one cannot be compared.
func RegisterErrors(errs ...error) {
	s := &sentinels
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text == nil {
		s.byText, s.text = map[string]error{}, map[error]string{}
	}
	for _, err := range errs {
		if !reflect.TypeOf(err).Comparable() {
			panic(fmt.Sprintf("proclet: RegisterErrors: a %T cannot be compared", err))
		}
		text := err.Error()
		if old, ok := s.byText[text]; ok && old != err {
			panic("proclet: RegisterErrors: two errors with the text " + text)
		}
		s.byText[text], s.text[err] = err, text
	}
}

func init() {
	RegisterErrors(ErrNoProclet, ErrLost, ErrMaybeExecuted, ErrHeapFull, ErrType, ErrMethod, ErrNoName, ErrNameTaken, ErrKept,
		ErrPinned, ErrBusy, ErrHeld, ErrStackFull, ErrTooManyThreads, ErrExited, ErrDeadline, ErrCancelled, ErrNoObject, ErrNotOwned, errMalformed,
		mm.ErrNoMemory,
		rack.ErrNotSent, rack.ErrUnreachable, rack.ErrFenced, rack.ErrLost,
		rack.ErrNoAddresses, rack.ErrDraining, rack.ErrNoDirectory, rack.ErrTooLarge)
}

// found returns the registered errors in err's tree.
func found(err error) (is []error) {
	s := &sentinels
	s.mu.RLock()
	defer s.mu.RUnlock()
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		if reflect.TypeOf(err).Comparable() {
			if _, ok := s.text[err]; ok {
				is = append(is, err)
				return
			}
		}
		if kindOfError(err) != nil {
			is = append(is, err)
		}
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			walk(e.Unwrap())
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				walk(err)
			}
		}
	}
	walk(err)
	return is
}

// export returns err in a form that refers to nothing in the proclet that
// returned it.
func export(err error) error {
	var p *PanicError
	if err == nil || errors.As(err, &p) && err == error(p) {
		return err
	}
	e := &MethodError{Text: strings.Clone(err.Error())}
	for _, one := range found(err) {
		if one = detachError(one); one != nil {
			e.Is = append(e.Is, one)
		}
	}
	return e.whole(reflect.TypeOf(err))
}

// Tags of encoded errors.
const (
	failureMethod = iota
	failurePanic
)

// appendFailure appends the encoding of an exported error.
func appendFailure(b []byte, err error) []byte {
	str := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	if p, ok := err.(*PanicError); ok {
		b = append(b, failurePanic)
		str(p.Value)
		str(p.Stack)
		return b
	}
	is := found(err)
	b = append(b, failureMethod)
	str(err.Error())
	b = binary.AppendUvarint(b, uint64(len(is)))
	for _, e := range is {
		b = appendFound(b, e)
	}
	if len(is) == 1 && reflect.TypeOf(is[0]) == reflect.TypeOf(err) && is[0].Error() == err.Error() {
		return append(b, 1) // the one that was found is the error itself
	}
	return append(b, 0)
}

// failure decodes an error.
func (d *decoder) failure() error {
	tag, err := d.take(1)
	if err != nil {
		return err
	}
	text, err := d.sized()
	if err != nil {
		return err
	}
	if tag[0] == failurePanic {
		stack, err := d.sized()
		if err != nil {
			return err
		}
		return &PanicError{string(text), string(stack)}
	}
	n, err := d.length(1)
	if err != nil {
		return err
	}
	e := &MethodError{Text: string(text)}
	for range n {
		one, err := d.found()
		if err != nil {
			return err
		}
		if one != nil {
			e.Is = append(e.Is, one)
		}
	}
	whole, err := d.flag()
	switch {
	case err != nil:
		return err
	case whole && len(e.Is) == 1:
		return e.Is[0]
	}
	return e
}

// newPanicError describes a panic that a deferred function has recovered.
func newPanicError(v any) (p *PanicError) {
	p = &PanicError{Stack: string(debug.Stack())}
	defer func() {
		if recover() != nil { // formatting the value panicked, too
			p.Value = fmt.Sprintf("a %T", v)
		}
	}()
	p.Value = fmt.Sprint(v)
	return p
}
