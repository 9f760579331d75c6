package stackmap

import (
	"reflect"
	"sync/atomic"
	"unsafe"

	"nuos/mm"
)

// The first word of an interface value is an itab or a type and in no stack
// map: all those that the compiler made lie in the image. Two kinds do not,
// and exist in this process only: itabs that the runtime makes when an
// interface value is converted to another interface for the first time, and
// types that package reflect makes. Both can be recognized exactly.

// suspicious reports whether w could be the address of such an itab or type.
// It sorts out nearly all other words without looking at memory.
func suspicious(w uintptr) bool {
	return w-mm.PageSize < 1<<47-mm.PageSize && w%8 == 0 && w-image.lo >= image.size && w-rack.lo >= rack.size
}

// local reports whether w, which is suspicious, is such an itab or type.
func local(w uintptr) bool { return madeType(w) || madeItab(w) }

// madeItab reports whether p is an itab that the runtime made and gave to
// somebody. The table has some hundred entries; it is searched for the rare
// suspicious word only.
func madeItab(p uintptr) bool {
	if p%8 != 0 || p-image.lo < image.size || !verifyNotInHeapPtr(p) {
		return false
	}
	// The runtime may add entries at any moment, but loses none, and has one
	// in the table before it hands it out.
	t := (*itabTableType)(atomic.LoadPointer(itabTable))
	entries := unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(&t.entries)), t.size)
	for i := range entries {
		if uintptr(atomic.LoadPointer(&entries[i])) == p {
			return (*itab)(at(p)).fun[0] != 0
		}
	}
	return false
}

// itabTable is the variable runtime.itabTable, to which the linker allows no
// reference; nil if it was not found.
var itabTable = findItabTable()

// findItabTable finds the one pointer in the program's data to something that
// has the shape of the table and in which an itab that the compiler made is
// found where the runtime would look for it.
func findItabTable() (found *unsafe.Pointer) {
	if !lastmoduledatap.plausible() || len(lastmoduledatap.itablinks) == 0 {
		return nil
	}
	for p := lastmoduledatap.data; p+8 <= lastmoduledatap.edata; p += 8 {
		if isItabTable(load(p)) {
			if found != nil {
				return nil
			}
			found = (*unsafe.Pointer)(at(p))
		}
	}
	return found
}

// isItabTable reports whether there is a table of itabs at p, which can be
// anything: checkptr, which knows what Go has allocated, would stop the program.
//
//go:nocheckptr
func isItabTable(p uintptr) bool {
	const least, most = 512, 1 << 24
	if !readable(p, unsafe.Sizeof(itabTableType{})) {
		return false
	}
	t := (*itabTableType)(at(p))
	n := t.size
	if n < least || n > most || n&(n-1) != 0 || t.count > n || t.count == 0 || !readable(p, 16+n*8) {
		return false
	}
	entries := unsafe.Slice((**itab)(unsafe.Pointer(&t.entries)), n)
	m := lastmoduledatap.itablinks[0]
	h := uintptr(m.inter.hash^m.typ.hash) & (n - 1)
	for i := uintptr(1); i <= n && entries[h] != nil; i++ {
		if entries[h] == m {
			return true
		}
		h = (h + i) & (n - 1)
	}
	return false
}

// readable reports whether the size bytes at p lie in the program's variables
// or in the Go heap, so that they can be looked at.
func readable(p, size uintptr) bool {
	m, last := lastmoduledatap, p+size-8
	if p%8 != 0 || p < mm.PageSize || last < p {
		return false
	}
	return p >= m.noptrdata && last < m.end || !verifyNotInHeapPtr(p) && !verifyNotInHeapPtr(last)
}

// madeType reports whether a type that package reflect made lies at p, which
// can be anything. Such types lie in the Go heap, and their names have
// negative numbers.
//
//go:nocheckptr
func madeType(p uintptr) bool {
	if verifyNotInHeapPtr(p) || !readable(p, unsafe.Sizeof(_type{})) {
		return false
	}
	t := (*_type)(at(p))
	return t.str < 0 && t.str > -1<<24 &&
		t.kind >= 1 && t.kind <= maxKind && // abi.Bool to abi.UnsafePointer
		t.align|t.fieldAlign <= 8 && t.align&(t.align-1) == 0 && t.align != 0 && t.fieldAlign != 0 &&
		t.ptrBytes <= t.size && t.ptrBytes%8 == 0
}

func describeItab(p uintptr) string {
	m := (*itab)(at(p))
	typ, inter := reflectType(m.typ), reflectType(m.inter)
	return "an interface value of type " + inter + " with a " + typ + " inside, made by a conversion that only this " +
		"process has seen (a declaration such as var _ " + inter + " = *new(" + typ + ") makes it part of the program)"
}

func describeType(p uintptr) string {
	return "the type " + reflectType((*_type)(at(p))) + ", made by package reflect in this process"
}

// reflectType is t's name. An interface value's first word is its type.
func reflectType(t *_type) string {
	var v any
	*(*unsafe.Pointer)(unsafe.Pointer(&v)) = unsafe.Pointer(t)
	return reflect.TypeOf(v).String()
}
