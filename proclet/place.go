package proclet

import (
	"reflect"
	"unsafe"

	"nuos/mm"
	"nuos/rack"
)

// What a program that spreads its state over proclets wants to know: where it
// is, how full it is, and where a key belongs.

// Machine returns the machine that t runs on. In a method it is old news as soon
// as the thread has had an opportunity to move.
func (t *Thread) Machine() rack.MachineID { return t.runtime().self }

// Machines returns the machines of the rack that take new proclets.
func (t *Thread) Machines() []rack.MachineID {
	var all []rack.MachineID
	for _, m := range t.runtime().net.Members() {
		if !m.Draining {
			all = append(all, m.ID)
		}
	}
	return all
}

// HeapStats returns the sizes of the heap of the proclet that t runs in. What
// calls inside have been given counts as used. It panics outside a method.
func (t *Thread) HeapStats() mm.HeapStats { return t.heapOf().Stats() }

// Objects returns how many objects of the proclet that t runs in there are remote
// pointers to. It takes time proportional to how many there were at a time. It
// panics outside a method.
func (t *Thread) Objects() (n int) {
	t.heapOf()
	r := t.runtime().find(t.id)
	r.objects.Lock()
	defer r.objects.Unlock()
	for place := range r.head.objects.len {
		if r.head.objects.at(place+1).serial != 0 {
			n++
		}
	}
	return n
}

// HashKey is [Hash] for the keys of a [Map]: of the contents of a String, and of
// the bytes of anything else. It is the same on every machine.
func HashKey[K comparable](k K) uint64 {
	if s, ok := any(&k).(*String); ok {
		return Hash(s.s)
	}
	return hashBytes(unsafe.Slice((*byte)(unsafe.Pointer(&k)), unsafe.Sizeof(k)), 0)
}

// SizeOf returns how many bytes v takes as an argument or a result, strings and
// all. The error is ErrType if it cannot be one.
func SizeOf[T any](v *T) (uint64, error) {
	p, err := planOf(reflect.TypeFor[T]())
	if err != nil {
		return 0, err
	}
	return uint64(p.size + p.measure(unsafe.Pointer(v))), nil
}

// Carry returns a copy of v, with everything it refers to, in memory that moves with
// t's method and lives until that returns, see [Thread.Scope]: so a method can keep
// across its calls what it has made in Go's heap, such as a string of fmt.Sprintf. Go
// maps stay in Go's heap. Ordinary goroutines get v itself. The error is ErrType if
// values of T cannot be copied, or ErrStackFull.
func Carry[T any](t *Thread, v T) (own T, err error) {
	if t.heap == nil {
		return v, nil
	}
	p, err := planFor[T]()
	if err != nil || p.flat() {
		return v, err
	}
	a, err := t.results(p.measure(noescape(unsafe.Pointer(&v))))
	if err == nil {
		err = p.copy(noescape(unsafe.Pointer(&own)), noescape(unsafe.Pointer(&v)), &a)
	}
	return own, err
}

// RefTo returns a reference to the proclet with this ID that holds no count:
// calls through it work as long as others keep the proclet. A call fails with
// ErrType if S is not the proclet's state type.
func RefTo[S any](id ID) Ref[S] { return Ref[S]{id} }
