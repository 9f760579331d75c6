//go:build metal

package sched

import "sync/atomic"

// What processors share. In an image it is sync/atomic and nothing else; elsewhere
// (atomic_hosted.go) a test can come between two operations.
type (
	atomicUint64 = atomic.Uint64
	atomicUint32 = atomic.Uint32
	atomicInt64  = atomic.Int64
	atomicInt32  = atomic.Int32
)
