package proclet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// errorKind is a registered type of errors, behind an interface whose
// implementations have no size; see signature.
type errorKind interface {
	encode(b []byte, err error) ([]byte, error)
	decode(d *decoder) (error, error)
}

type errorKindOf[E error] struct{}

var errorKinds sync.Map // reflect.Type -> errorKind

// RegisterErrorType makes errors of type E travel from a method to its caller by
// value, so that errors.As finds them there:
//
//	func init() { proclet.RegisterErrorType[*QuotaError]() }
//
// Like [RegisterErrors] it belongs into the initialisation of a package. E is a type
// that can be an argument; one that wraps another error has an encoding of its own. It panics
// if E cannot travel.
func RegisterErrorType[E error]() {
	if _, err := planFor[E](); err != nil {
		panic(fmt.Sprintf("proclet: RegisterErrorType: %v", err))
	}
	errorKinds.Store(reflect.TypeFor[E](), errorKind(errorKindOf[E]{}))
}

// kindOfError returns the registered type of err, or nil.
func kindOfError(err error) errorKind {
	if k, ok := errorKinds.Load(reflect.TypeOf(err)); ok {
		return k.(errorKind)
	}
	return nil
}

func (errorKindOf[E]) encode(b []byte, err error) ([]byte, error) {
	p, planErr := planFor[E]()
	if planErr != nil {
		return nil, planErr
	}
	e, ok := err.(E)
	if !ok {
		return nil, errMalformed
	}
	return p.encode(b, unsafe.Pointer(&e))
}

func (errorKindOf[E]) decode(d *decoder) (error, error) {
	p, err := planFor[E]()
	if err != nil {
		return nil, err
	}
	check, n, e := *d, uintptr(0), new(E)
	if err := p.measureWire(&check, &n); err != nil {
		return nil, err
	}
	err = p.decode(unsafe.Pointer(e), d, &arena{})
	return *e, err
}

// detachError returns err, which was found, as a value that refers to nothing in a
// proclet; nil if it cannot be encoded.
func detachError(err error) error {
	k := kindOfError(err)
	if k == nil {
		return err
	}
	b, encodeErr := k.encode(nil, err)
	if encodeErr != nil {
		return nil
	}
	own, decodeErr := k.decode(&decoder{b})
	if decodeErr != nil {
		return nil
	}
	return own
}

// How an error that was found is encoded: a registered one as its text, one of a
// registered type as the type and the value.
const (
	foundSentinel = iota
	foundTyped
)

func appendFound(b []byte, err error) []byte {
	if k := kindOfError(err); k != nil {
		if v, encodeErr := k.encode(nil, err); encodeErr == nil {
			b = binary.AppendUvarint(append(b, foundTyped), uint64(offsetOf(k)))
			return append(binary.AppendUvarint(b, uint64(len(v))), v...)
		}
	}
	text := err.Error()
	return append(binary.AppendUvarint(append(b, foundSentinel), uint64(len(text))), text...)
}

// found decodes what appendFound has encoded. It is nil if this machine has not
// registered the error.
func (d *decoder) found() (error, error) {
	tag, err := d.take(1)
	if err != nil {
		return nil, err
	}
	if tag[0] == foundSentinel {
		text, err := d.sized()
		if err != nil {
			return nil, err
		}
		sentinels.mu.RLock()
		defer sentinels.mu.RUnlock()
		return sentinels.byText[string(text)], nil
	}
	at, err := d.uint()
	if err != nil {
		return nil, err
	}
	k, err := implementation(offset(at), errorKind(errorKindOf[noError]{}))
	if err != nil {
		return nil, err
	}
	v, err := d.sized()
	if err != nil {
		return nil, err
	}
	inner := &decoder{v}
	e, err := k.decode(inner)
	if err == nil && len(inner.b) != 0 {
		err = fmt.Errorf("%w: %d bytes after an error", errMalformed, len(inner.b))
	}
	return e, err
}

// noError is for samples of errorKind.
type noError struct{}

func (noError) Error() string { return errors.ErrUnsupported.Error() }
