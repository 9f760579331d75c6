package proclet

import (
	"cmp"
	"reflect"
	"strings"
	"unsafe"
)

// The keys of an OrderedMap and the elements of a Heap are put in order, by a rule
// that follows from their type alone, because no function can be kept in a
// proclet's state:
//
//   - a type with a method Compare(T) int is compared with that. The method must
//     be a function of the two values, and must neither wait nor change anything;
//   - numbers and Strings are compared as by cmp.Compare.
type ordering uint8

const (
	unordered ordering = iota
	byInt8
	byInt16
	byInt32
	byInt64
	byUint8
	byUint16
	byUint32
	byUint64
	byFloat32
	byFloat64
	byString
	byMethod
)

// comparer is what a type has that says itself how it is compared.
type comparer[T any] interface{ Compare(T) int }

// orderingOf returns how values of T are compared.
func orderingOf[T any]() ordering {
	if _, ok := any((*T)(nil)).(comparer[T]); ok {
		return byMethod
	}
	t := reflect.TypeFor[T]()
	switch t.Kind() {
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		return bySize(byInt8, t)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint, reflect.Uintptr:
		return bySize(byUint8, t)
	case reflect.Float32:
		return byFloat32
	case reflect.Float64:
		return byFloat64
	}
	if t == stringType {
		return byString
	}
	return unordered
}

// bySize returns the ordering of the size of t from a row that begins with one
// byte.
func bySize(o ordering, t reflect.Type) ordering {
	for size := uintptr(1); size < t.Size(); size *= 2 {
		o++
	}
	return o
}

// compare compares the values at a and b, which it does not keep, by o, the
// ordering of T.
func compare[T any](o ordering, a, b *T) int {
	p, q := unsafe.Pointer(a), unsafe.Pointer(b)
	switch o {
	case byInt8:
		return cmp.Compare(*(*int8)(p), *(*int8)(q))
	case byInt16:
		return cmp.Compare(*(*int16)(p), *(*int16)(q))
	case byInt32:
		return cmp.Compare(*(*int32)(p), *(*int32)(q))
	case byInt64:
		return cmp.Compare(*(*int64)(p), *(*int64)(q))
	case byUint8:
		return cmp.Compare(*(*uint8)(p), *(*uint8)(q))
	case byUint16:
		return cmp.Compare(*(*uint16)(p), *(*uint16)(q))
	case byUint32:
		return cmp.Compare(*(*uint32)(p), *(*uint32)(q))
	case byUint64:
		return cmp.Compare(*(*uint64)(p), *(*uint64)(q))
	case byFloat32:
		return cmp.Compare(*(*float32)(p), *(*float32)(q))
	case byFloat64:
		return cmp.Compare(*(*float64)(p), *(*float64)(q))
	case byString:
		return strings.Compare((*String)(p).s, (*String)(q).s)
	}
	return any((*T)(noescape(p))).(comparer[T]).Compare(*(*T)(noescape(q)))
}
