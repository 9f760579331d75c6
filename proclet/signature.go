package proclet

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"nuos/proclet/internal/fiber"
)

// signature is what the types of a method's state, argument and result are
// needed for, behind an interface: the one way into a method for code that
// has only bytes. Its implementations have no size, so the interface table says
// it all; it is a constant of the program, and its offset is what travels.
type signature interface {
	types() *callTypes
}

// callTypes is what is known of a signature once it was used.
type callTypes struct {
	sig      signature
	tab      *itab
	offset   offset
	state    *typeHeader // nil if it is called with any state
	arg, res *plan
	flatArg  bool // arg.flat()
	flatRes  bool

	// execute executes the method that Thread.next says as the innermost one, and ends it,
	// whichever way it ends. It calls begin, Checkpoint, the method, and handBack.
	execute func(*fiber.Fiber)
}

type signatureOf[S, A, R any] struct{}

func (signatureOf[S, A, R]) types() *callTypes {
	return &callTypes{
		state: headerOf(reflect.TypeFor[S]()),
		arg:   &plan{typ: reflect.TypeFor[A]()},
		res:   &plan{typ: reflect.TypeFor[R]()},
		execute: func(f *fiber.Fiber) {
			t, ended := threadOf(f), false
			defer func() {
				if !ended || t.owes() {
					t.end(ended, recover())
				}
			}()
			method, state, arg := begin[func(*S, *Thread, A) (R, error), A](t)
			t.Checkpoint()
			res, err := method((*S)(state), t, arg)
			if to := t.plainResult(err); to != nil {
				*(*R)(to) = res
			} else {
				t.handBack(noescape(unsafe.Pointer(&res)), err)
			}
			ended = true
		},
	}
}

// signatures are the callTypes by interface table. recentSignatures saves most
// searches: each place holds the last one whose address falls on it.
var (
	signatures       sync.Map // *itab -> *callTypes
	recentSignatures [256]atomic.Pointer[callTypes]
)

// typesOf returns what there is to know about a signature. The error is ErrType
// if argument or result cannot be copied.
func typesOf(sig signature) (*callTypes, error) {
	tab := tableOf(sig)
	if c := recentTypes(tab).Load(); c != nil && c.tab == tab {
		return c, nil
	}
	return searchTypes(sig)
}

// tableOf returns what there is to a signature.
func tableOf(sig signature) *itab { return (*iface)(unsafe.Pointer(&sig)).tab }

// signatureTable is what tableOf returns, as a number.
type signatureTable uintptr

func (tab signatureTable) signature() (sig signature) {
	*(*iface)(unsafe.Pointer(&sig)) = iface{(*itab)(constantAt(uintptr(tab))), unsafe.Pointer(&zeroSized)}
	return sig
}

func signatureTableOf(sig signature) signatureTable {
	return signatureTable(unsafe.Pointer(tableOf(sig)))
}

func recentTypes(tab *itab) *atomic.Pointer[callTypes] {
	return &recentSignatures[uintptr(unsafe.Pointer(tab))/unsafe.Sizeof(itab{})%uintptr(len(recentSignatures))]
}

// searchTypes is typesOf for a signature that was not used recently.
func searchTypes(sig signature) (*callTypes, error) {
	tab := tableOf(sig)
	if c, ok := signatures.Load(tab); ok {
		recentTypes(tab).Store(c.(*callTypes))
		return c.(*callTypes), nil
	}
	c := sig.types()
	c.sig, c.tab, c.offset = sig, tab, offsetOf(sig)
	var err error
	if c.arg, err = planOf(c.arg.typ); err != nil {
		return nil, err
	}
	if c.res, err = planOf(c.res.typ); err != nil {
		return nil, err
	}
	c.flatArg, c.flatRes = c.arg.flat(), c.res.flat()
	one, _ := signatures.LoadOrStore(tab, c)
	return one.(*callTypes), nil
}

// stateKind is a state type behind an interface, for the same purpose.
type stateKind interface {
	reflectType() reflect.Type

	// close calls Close of the state, if it has it.
	close(state unsafe.Pointer, t *Thread)
}

type kindOf[S any] struct{}

func (kindOf[S]) reflectType() reflect.Type { return reflect.TypeFor[S]() }

func (kindOf[S]) close(state unsafe.Pointer, t *Thread) {
	if c, ok := any((*S)(state)).(Closer); ok {
		c.Close(t)
	}
}

// iface is how Go lays out an interface value with methods, itab the table it
// points to (internal/abi.ITab). checkRuntime proves both.
type iface struct {
	tab  *itab
	data unsafe.Pointer
}

type itab struct {
	inter uintptr // the interface type
	typ   *typeHeader
	hash  uint32 // copy of typ.hash
	_     uint32
	fun   uintptr // first method
}

// typeHeader is the start of what a reflect.Type points to
// (internal/abi.Type).
type typeHeader struct {
	size     uintptr
	ptrBytes uintptr // bytes up to the last pointer; 0 if there is none
	hash     uint32
}

// offsetOf names the dynamic type of v, an interface value of type I with
// methods.
func offsetOf[I any](v I) offset {
	return image.offset(uintptr(unsafe.Pointer((*iface)(unsafe.Pointer(&v)).tab)))
}

// implementation is the inverse of offsetOf. sample is any value of type I.
func implementation[I any](o offset, sample I) (v I, err error) {
	want := (*iface)(unsafe.Pointer(&sample)).tab
	p := image.address(o)
	if !image.constant(p, unsafe.Sizeof(itab{})) {
		return v, fmt.Errorf("%w: no type at offset %#x", ErrType, o)
	}
	tab := (*itab)(constantAt(p))
	if tab.inter != want.inter || !image.constant(uintptr(unsafe.Pointer(tab.typ)), unsafe.Sizeof(typeHeader{})) ||
		tab.typ.hash != tab.hash || tab.typ.size != 0 || !image.entry(tab.fun) {
		return v, fmt.Errorf("%w: no %v at offset %#x", ErrType, reflect.TypeFor[I](), o)
	}
	*(*iface)(unsafe.Pointer(&v)) = iface{tab, unsafe.Pointer(&zeroSized)}
	return v, nil
}

// zeroSized is where values without size are.
var zeroSized struct{}

// headerOf returns the header of a type.
func headerOf(t reflect.Type) *typeHeader {
	return (*typeHeader)((*iface)(unsafe.Pointer(&t)).data)
}
