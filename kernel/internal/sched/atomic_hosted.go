//go:build !metal

package sched

import "sync/atomic"

// operate makes one operation on what processors share, and returns what it found. A
// test puts in its place what lets other processors go first.
var operate = func(operation func() uint64) uint64 { return operation() }

// The types of sync/atomic, with the operations that the package uses. They are fields
// and not embedded, so that no operation gets past operate.
type (
	atomicUint64 struct{ v atomic.Uint64 }
	atomicUint32 struct{ v atomic.Uint32 }
	atomicInt64  struct{ v atomic.Int64 }
	atomicInt32  struct{ v atomic.Int32 }
)

func (x *atomicUint64) Load() uint64 { return operate(x.v.Load) }

func (x *atomicUint64) Store(v uint64) {
	operate(func() uint64 { x.v.Store(v); return 0 })
}

func (x *atomicUint64) Or(v uint64) uint64 {
	return operate(func() uint64 { return x.v.Or(v) })
}

func (x *atomicUint64) And(v uint64) uint64 {
	return operate(func() uint64 { return x.v.And(v) })
}

func (x *atomicUint64) CompareAndSwap(old, new uint64) bool {
	return operate(func() uint64 { return number(x.v.CompareAndSwap(old, new)) }) != 0
}

func (x *atomicUint32) Load() uint32 {
	return uint32(operate(func() uint64 { return uint64(x.v.Load()) }))
}

func (x *atomicUint32) Store(v uint32) {
	operate(func() uint64 { x.v.Store(v); return 0 })
}

func (x *atomicUint32) CompareAndSwap(old, new uint32) bool {
	return operate(func() uint64 { return number(x.v.CompareAndSwap(old, new)) }) != 0
}

func (x *atomicInt64) Load() int64 {
	return int64(operate(func() uint64 { return uint64(x.v.Load()) }))
}

func (x *atomicInt64) Store(v int64) {
	operate(func() uint64 { x.v.Store(v); return 0 })
}

func (x *atomicInt64) CompareAndSwap(old, new int64) bool {
	return operate(func() uint64 { return number(x.v.CompareAndSwap(old, new)) }) != 0
}

func (x *atomicInt32) Load() int32 {
	return int32(operate(func() uint64 { return uint64(x.v.Load()) }))
}

func (x *atomicInt32) Store(v int32) {
	operate(func() uint64 { x.v.Store(v); return 0 })
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
