package fiber

import (
	"sync"
	"unsafe"
)

// carrier is a goroutine that carries fibers, one after the other. While it does,
// the collector scans the fiber's stack as the goroutine's, and not the one that
// the goroutine was born with: what the frames there hold, this carrier, is
// kept by the table carriers.
type carrier struct {
	native context // what runs between two fibers
	fiber  *Fiber
	local  Local
	parker parker // without a fiber it sleeps here

	index   int  // in carriers.all
	escaped bool // under the race detector: Escape was called, see callAside
}

// Local belongs to the carrier of a fiber. It can hold pointers into Go's heap, and is
// emptied when the fiber leaves or ends. What f's frames hold of it must be
// dead by then.
type Local struct {
	Value any
}

// Local returns what belongs to f's carrier. f calls it.
func (f *Fiber) Local() *Local { return &f.carried().local }

// carried returns the carrier of f, which is attached.
func (f *Fiber) carried() *carrier { return (*carrier)(pointer(f.carrier)) }

var carriers struct {
	mu   sync.Mutex
	all  []*carrier
	idle []*carrier // the one that slept last is woken first: its stack is in the cache
}

// maxIdle is how many carriers may sleep without a fiber. When many fibers end at
// a time, those beyond end too.
const maxIdle = 256

// Start gives f, which is new, thawed or detached, to a carrier. Any goroutine may
// call it, once.
func (f *Fiber) Start() {
	if c := takeCarrier(f); c != nil {
		c.fiber = f
		c.parker.unpark()
	}
}

// takeCarrier returns a carrier that sleeps, or makes one that carries f.
func takeCarrier(f *Fiber) *carrier {
	carriers.mu.Lock()
	defer carriers.mu.Unlock()
	if n := len(carriers.idle); n > 0 {
		c := carriers.idle[n-1]
		carriers.idle = carriers.idle[:n-1]
		return c
	}
	c := &carrier{fiber: f, index: len(carriers.all)}
	carriers.all = append(carriers.all, c)
	go c.run()
	return nil
}

// giveBack makes c idle; false says that there are enough, and that c must end.
func (c *carrier) giveBack() bool {
	carriers.mu.Lock()
	defer carriers.mu.Unlock()
	if len(carriers.idle) == maxIdle {
		c.remove()
		return false
	}
	carriers.idle = append(carriers.idle, c)
	return true
}

// remove takes c, which is not idle, out of the table. The lock is held.
func (c *carrier) remove() {
	n := len(carriers.all) - 1
	last := carriers.all[n]
	carriers.all[c.index], last.index = last, c.index
	carriers.all[n] = nil
	carriers.all = carriers.all[:n]
}

// run carries c.fiber and then others. There are no deferred calls, whose
// records would be mixed up with those of the fiber.
func (c *carrier) run() {
	for {
		c.carry()
		if !c.giveBack() {
			return
		}
		c.parker.park()
	}
}

// attach makes c the carrier of f.
func (f *Fiber) attach(c *carrier) {
	f.ended = false
	f.carrier = uintptr(unsafe.Pointer(c))
}
