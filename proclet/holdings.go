package proclet

import (
	"unsafe"

	"nuos/mm"
)

// holdings are the counts that a proclet's state has: how many, by what they are
// of. So a Ref in the state that was assigned, and not given to Set or a container,
// is never given back without having been acquired, and when the proclet ends
// everything is given back, wherever it is in the state. They are a hash table with
// linear probing in the heap, guarded by resident.objects.
type holdings struct {
	entries unsafe.Pointer // *[cap]holding; few, if that is enough
	cap     uint64         // a power of two, or 0
	used    uint64         // entries that are not zero; those with n == 0 among them
	live    uint64         // entries with n > 0
	few     [firstHoldings]holding
}

type holding struct {
	of handle
	n  uint64
}

// firstHoldings is room for three: most proclets have no more.
const firstHoldings = 4

func (x *holdings) at(i uint64) *holding {
	return (*holding)(unsafe.Add(x.entries, (i&(x.cap-1))*uint64(unsafe.Sizeof(holding{}))))
}

// find returns the entry of h, or the free one where it belongs. There is a free
// one.
func (x *holdings) find(h handle) *holding {
	for i := mix(h.id.Gen^h.id.Addr, h.object.place^h.object.serial^0x9e3779b97f4a7c15); ; i++ {
		if e := x.at(i); e.of == h || e.of.id.IsZero() {
			return e
		}
	}
}

func (x *holdings) add(heap *mm.Heap, h handle) error {
	if x.cap == 0 {
		x.entries, x.cap = unsafe.Pointer(&x.few), firstHoldings
	}
	if (x.used+1)*4 > x.cap*3 {
		if err := x.rehash(heap); err != nil {
			return err
		}
	}
	e := x.find(h)
	if e.of.id.IsZero() {
		e.of = h
		x.used++
	}
	if e.n == 0 {
		x.live++
	}
	e.n++
	return nil
}

// rehash makes a new table, with room for as many again as there are.
func (x *holdings) rehash(heap *mm.Heap) error {
	next := holdings{cap: firstHoldings, live: x.live, used: x.live}
	for next.cap *= 2; next.cap < 2*(x.live+1); {
		next.cap *= 2
	}
	p, err := heap.Alloc(next.cap * uint64(unsafe.Sizeof(holding{})))
	if err != nil {
		return err
	}
	next.entries = p
	for i := range x.cap {
		if e := x.at(i); e.n > 0 {
			*next.find(e.of) = *e
		}
	}
	x.clear(heap)
	*x = next
	return nil
}

// clear makes the table empty and gives its memory back.
func (x *holdings) clear(heap *mm.Heap) {
	if x.cap > firstHoldings {
		heap.Free(x.entries)
	}
	*x = holdings{}
}

// has reports whether there is a count of h.
func (x *holdings) has(h handle) bool { return x.cap > 0 && x.find(h).n > 0 }

// remove takes a count of h away, if there is one.
func (x *holdings) remove(heap *mm.Heap, h handle) bool {
	if !x.has(h) {
		return false
	}
	e := x.find(h)
	if e.n--; e.n == 0 {
		if x.live--; x.live == 0 {
			x.clear(heap)
		}
	}
	return true
}

// keeps reports whether the state of t's proclet has a count of h.
func (t *Thread) keeps(h handle) bool {
	r := t.runtime().find(t.id)
	r.objects.Lock()
	defer r.objects.Unlock()
	return r.head.holdings.has(h)
}

// keep makes a count of h, which was acquired, the state's.
func (t *Thread) keep(h handle) error {
	r := t.runtime().find(t.id)
	r.objects.Lock()
	defer r.objects.Unlock()
	return r.head.holdings.add(r.heap, h)
}

// unkeep makes a count of h that is the state's the caller's, and reports whether
// there was one.
func (t *Thread) unkeep(h handle) bool {
	r := t.runtime().find(t.id)
	r.objects.Lock()
	defer r.objects.Unlock()
	return r.head.holdings.remove(r.heap, h)
}

// giveBackAll gives back what the state of a proclet holds that has ended.
func (r *resident) giveBackAll() {
	x := &r.head.holdings
	for i := range x.cap {
		if e := x.at(i); e.n > 0 {
			r.rt.giveBack(e.of, e.n)
		}
	}
}
