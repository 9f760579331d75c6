package proclet

import (
	"fmt"
	"log"
	"unsafe"

	"nuos/mm"
	"nuos/proclet/internal/fiber"
	"nuos/proclet/internal/stackmap"
)

// In a program built with the tag proclet_debug the heap of a proclet is checked
// whenever a method has ended in it: that the allocator's records are in order, and
// that no object holds what looks like a pointer to something that only this
// machine has. A finding fails the call; if that has panicked, its error says both.

// checked returns what a method that has ended with err is to end with.
func (t *Thread) checked(err error) error {
	if mm.Debug {
		if bad := t.checkHeap(); bad != nil {
			return bad
		}
	}
	return err
}

// checkedPanic is checked for a method that has panicked, of which its caller learns
// in any case.
func (t *Thread) checkedPanic(p *PanicError) *PanicError {
	if bad := t.checked(nil); bad != nil {
		p.Value += "\n" + bad.Error()
	}
	return p
}

// checkHeap returns what is wrong with the heap of t's proclet. Others may be inside
// and change it meanwhile: objects come and go only between two looks at it.
func (t *Thread) checkHeap() error {
	r := t.runtime().find(t.id)
	err := r.heap.Check()
	if err == nil {
		err = r.findPointer()
	}
	if err != nil {
		err = fmt.Errorf("proclet: the heap of %v after a method: %w", r.id, err)
		log.Print(err)
	}
	return err
}

// findPointer looks for a word of an object that points out of the heap to what only
// this machine has.
func (r *resident) findPointer() (err error) {
	r.mu.Lock() // threads that are frozen stay so, but others may be freezing
	defer r.mu.Unlock()
	r.heap.Objects(func(o mm.Range) bool {
		if isFrozen(o) {
			return true
		}
		stackmap.CheckWords(o, func(addr, value uintptr, what string) bool {
			if isFrozen(o) {
				return false // it has become one meanwhile; its head comes before its image
			}
			if addr > uintptr(o.Base) && isHeap(*(*uint64)(constantAt(addr - 8))) {
				return true // the number of an ID, which may be any
			}
			err = fmt.Errorf("the word at %#x, %d bytes into %s at %#x, is %#x: %s",
				addr, addr-uintptr(o.Base), r.nameOf(o), uintptr(o.Base), value, what)
			return false
		})
		return err == nil
	})
	return err
}

// isHeap reports whether w is where the heap of a proclet can begin.
func isHeap(w uint64) bool { return mm.HeapArea.Contains(mm.Virt(w)) && w%mm.MinHeap == 0 }

// nameOf says what the object at o is, as far as that is known.
func (r *resident) nameOf(o mm.Range) string {
	switch uintptr(o.Base) {
	case uintptr(r.state):
		return "the state, " + r.kind.reflectType().String() + ","
	case uintptr(unsafe.Pointer(r.head)):
		return "the runtime's record"
	}
	return "the object"
}

// isFrozen reports whether the object at o is a frozen thread. Its image was checked
// when it was made, precisely: dead words in it may be anything.
func isFrozen(o mm.Range) bool {
	if o.Size < uint64(unsafe.Sizeof(frozen{})) {
		return false
	}
	z := (*frozen)(constantAt(uintptr(o.Base)))
	at := uintptr(unsafe.Pointer(z.thread))
	return mm.StackArea.Contains(mm.Virt(at)) && at%fiber.RegionSize == fiber.RegionSize-fiber.HeaderSize &&
		z.len <= o.Size-uint64(unsafe.Sizeof(frozen{}))
}
