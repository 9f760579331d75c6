package balance

import (
	"slices"
	"sync"

	"nuos/mm"
	"nuos/proclet"
)

// oneMemory is a machine's proclets as its migrator sees them, if the machines of the rack share the
// addresses of one process. What arrives is mapped when the source has given it up, and what was sent,
// to where it came from, is put aside meanwhile.
type oneMemory struct {
	*proclet.Runtime
	world *world

	mu      sync.Mutex
	arrives map[proclet.ID]proclet.Description
}

// Weigh has no proclet copied while it runs: what would arrive is there.
func (o *oneMemory) Weigh(proclet.ID) (bytes uint64, used bool) { return 0, false }

func (o *oneMemory) Prepare(d proclet.Description) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrives[d.ID] = d
	return nil
}

func (o *oneMemory) Verify(proclet.ID) error { return nil }

func (o *oneMemory) Discard(id proclet.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.arrives, id)
}

func (o *oneMemory) Adopt(id proclet.ID) error {
	o.mu.Lock()
	d := o.arrives[id]
	delete(o.arrives, id)
	o.mu.Unlock()
	var saved [][]byte
	for _, u := range d.Used {
		saved = append(saved, slices.Clone(mm.Bytes(u)))
	}
	o.world.leave(id, o.Current().Machine())
	if err := o.Runtime.Prepare(d); err != nil {
		return err
	}
	for i, u := range d.Used {
		copy(mm.Bytes(u), saved[i])
	}
	return o.Runtime.Adopt(id)
}
