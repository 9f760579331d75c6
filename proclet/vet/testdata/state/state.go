// Package state has state types that are refused, and some that are not.
package state

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"nuos/proclet"
)

type Good struct {
	mu     proclet.Mutex
	names  proclet.Map[proclet.String, entry]
	points proclet.Slice[[2]float64]
	next   proclet.Ref[Good]
	other  proclet.Ref[Bad]
	since  time.Duration
	byPair proclet.Map[pair, int32]
	has    proclet.Set[uint64]
	sorted proclet.OrderedMap[float64, proclet.Deque[entry]]
	first  proclet.Heap[job]
	raw    proclet.Bytes
	later  proclet.Promise[entry]
	tree   proclet.Ptr[leaf]
	weak   proclet.Weak[Good]
	there  proclet.RemotePtr[entry]
	mine   proclet.RemoteUnique[entry]
	ours   proclet.RemoteShared[entry]
	rw     proclet.RWMutex
	cond   proclet.Cond
	once   proclet.Once
	group  proclet.WaitGroup
	places proclet.Semaphore
	timer  proclet.Timer
	ticker proclet.Ticker
	id     proclet.ID
}

type entry struct {
	value proclet.String
	tags  proclet.Slice[proclet.String]
}

type leaf struct{ left, right proclet.Ptr[leaf] }

type job struct{ urgent int }

func (j *job) Compare(other job) int { return j.urgent - other.urgent }

type pair struct{ a, b int32 }

type Bad struct {
	byName map[string][]int // want `state: state\.Bad\.byName is a Go map; use proclet\.Map\[proclet\.String, proclet\.Slice\[int\]\]`
}

type Nested struct {
	in [2]struct {
		elems proclet.Slice[inner]
	}
}

type inner struct {
	name string // want `state: state\.Nested\.in\[\]\.elems\[\]\.name is a Go string; use proclet\.String`
}

type List struct {
	next *List // want `state: state\.List\.next is a pointer; use a value, or a proclet\.Ref to a proclet of its own`
}

type Raw struct {
	p unsafe.Pointer // want `state: state\.Raw\.p is a pointer`
}

type Events struct {
	queue chan int // want `state: state\.Events\.queue is a channel; use proclet\.Slice and calls`
}

type Hook struct {
	f func() // want `state: state\.Hook\.f is a function; use a number or a proclet\.Ref that says what to do`
}

type Any struct {
	v any // want `state: state\.Any\.v is an interface; use a concrete type`
}

type Lines struct {
	lines []string // want `state: state\.Lines\.lines is a Go slice; use proclet\.Slice\[proclet\.String\]`
}

type Caller struct {
	t *proclet.Thread // want `state: state\.Caller\.t is a \*proclet\.Thread, which ends with its call; use the Thread that each method is given`
}

type Request struct {
	ctx context.Context // want `state: state\.Request\.ctx is a context\.Context, which belongs to one machine; use a deadline as a number, and proclet\.Timer`
}

type FloatKey struct {
	m proclet.Map[float64, int] // want `state: key of state\.FloatKey\.m is a float64, whose values can be equal with different bytes; use proclet\.String or a type made of integers`
}

type PaddedKey struct {
	m proclet.Map[padded, int] // want `state: key of state\.PaddedKey\.m is a state\.padded, which has padding`
}

type padded struct {
	a int8
	b int64
}

type Unordered struct {
	m proclet.OrderedMap[pair, int] // want `state: state\.Unordered\.m is ordered by a state\.pair; use a number, proclet\.String, or give it a method Compare\(state\.pair\) int`
}

type Object struct {
	name []byte // want `state: state\.Object\.name is a Go slice; use proclet\.Slice\[byte\]`
}

type Futures struct {
	f *proclet.Future[int] // want `state: state\.Futures\.f is a pointer`
}

type Cached struct {
	last atomic.Value // want `state: state\.Cached\.last\.v is an interface`
	hits atomic.Int64
	mu   sync.Mutex
}

type Box[T any] struct {
	v T // want `state: state\.Box\[string\]\.v is a Go string; use proclet\.String`
}

// generic cannot be judged before it is used.
func generic[T any](t *proclet.Thread) (proclet.Ref[Box[T]], error) {
	return proclet.New[Box[T]](t, proclet.Options{})
}

func use(t *proclet.Thread) {
	proclet.New[Good](t, proclet.Options{})
	proclet.New[Bad](t, proclet.Options{})
	proclet.New[Nested](t, proclet.Options{})
	proclet.New[List](t, proclet.Options{})
	proclet.New[Raw](t, proclet.Options{})
	proclet.New[Events](t, proclet.Options{})
	proclet.New[Hook](t, proclet.Options{})
	proclet.New[Any](t, proclet.Options{})
	proclet.New[Caller](t, proclet.Options{})
	proclet.New[PaddedKey](t, proclet.Options{})
	proclet.New[Cached](t, proclet.Options{})
	proclet.New[Unordered](t, proclet.Options{})
	proclet.New[Futures](t, proclet.Options{})
	proclet.NewRemote(t, Object{})
	proclet.NewRemoteShared(t, 1.5)
	proclet.New[int](t, proclet.Options{})         // want `state: int is not a struct; use a struct with a field of that type`
	proclet.New[time.Time](t, proclet.Options{})   // want `state: time\.Time\.loc is a pointer`
	proclet.New[Box[int]](t, proclet.Options{})    // a good one
	proclet.New[Box[string]](t, proclet.Options{}) // at its field
	proclet.Lookup[Lines](t, "lines")
	var r proclet.Ref[Request]
	f := func(t *proclet.Thread, floats proclet.Ref[FloatKey]) { _ = floats }
	_, _ = r, f
	generic[int](t)
}
