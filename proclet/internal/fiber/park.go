package fiber

import (
	"sync/atomic"
	"unsafe"
)

// parker lets one goroutine sleep and others wake it. It holds at most one
// permit: an unpark before the park is not lost, and two count as one.
type parker struct {
	state atomic.Uint32
	g     atomic.Uintptr // who sleeps; written before state says so
}

const (
	awake  = iota
	permit // somebody has called unpark
	asleep
	held // asleep, and not to be woken; see Hold
)

// park returns when there is a permit, and takes it.
func (p *parker) park() {
	for !p.state.CompareAndSwap(permit, awake) {
		if g := getg(); p.g.Load() != g {
			p.g.Store(g)
		}
		gopark(commit, unsafe.Pointer(p), reasonCoroutine, 0, 2)
	}
}

// commit runs on the scheduler's stack, when the goroutine's state is saved: from
// here on it may be woken. It returns false if that has happened already. With the
// race detector nothing there may call into it, hence parkCAS.
//
//go:norace
//go:nosplit
func commit(_, lock unsafe.Pointer) bool {
	return parkCAS((*uint32)(lock), awake, asleep) // state is the first field
}

// unpark leaves a permit. Any goroutine may call it.
func (p *parker) unpark() {
	if p.state.Swap(permit) == asleep {
		p.ready()
	}
}

// ready lets the goroutine go on that sleeps. There is a permit.
func (p *parker) ready() { goready(pointer(p.g.Load()), 2) }
