//go:build !race

package migrate

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// oneMemory is what a migrator needs of the proclets of a machine if the machines of
// the rack are in one process, and share its memory. The source has what the destination
// prepares. So that is made late, when the source has given it up, and the
// bytes, which were sent to where they came from, are put aside meanwhile. While
// refusing is set, the real Runtime refuses what is mapped.
//
// What is copied while it runs arrives at other addresses, and is compared with the
// proclet when that has been frozen.
type oneMemory struct {
	*proclet.Runtime
	all      *[]*machineInProcess
	refusing atomic.Pointer[string]

	mu      sync.Mutex
	arrives map[proclet.ID]expected
	wrong   []string
}

// expected is a proclet that is expected. If it is copied while it runs, the bytes are
// this far behind where it runs.
type expected struct {
	d     proclet.Description
	aside mm.Virt
}

func (e *expected) shifted(ranges []mm.Range) (all []mm.Range) {
	for _, r := range ranges {
		all = append(all, mm.Range{Base: r.Base + e.aside, Size: r.Size})
	}
	return all
}

func (e *expected) heap() mm.Range {
	return mm.Range{Base: mm.Virt(e.d.ID.Addr) + e.aside, Size: e.d.Capacity}
}

func (o *oneMemory) refuses(stage string) bool {
	r := o.refusing.Load()
	return r != nil && *r == stage
}

// aside is where what machines copy goes: for each its own part of the heap area, far behind
// what is leased.
func (o *oneMemory) aside() mm.Virt { return mm.Virt(o.Current().Machine()) << 42 }

func (o *oneMemory) Reserve(d proclet.Description) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refuses("memory") {
		return o.Runtime.Reserve(d)
	}
	e := expected{d, o.aside()}
	was, known := o.arrives[d.ID]
	delete(o.arrives, d.ID)
	var err error
	if known {
		err = mm.ReshapeHeap(e.heap(), e.shifted(was.d.Used), e.shifted(d.Used))
	} else {
		err = mm.PrepareHeap(e.heap(), e.shifted(d.Used))
	}
	if err == nil {
		o.arrives[d.ID] = e
	}
	return err
}

func (o *oneMemory) Prepare(d proclet.Description) error {
	o.mu.Lock()
	was, known := o.arrives[d.ID]
	o.mu.Unlock()
	switch {
	case known && o.refuses("memory"):
		o.Discard(d.ID)
		return o.Runtime.Prepare(d)
	case known && was.aside != 0:
		return o.Reserve(d)
	case o.refuses("memory"):
		return o.Runtime.Prepare(d)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrives[d.ID] = expected{d: d}
	return nil
}

func (o *oneMemory) Verify(id proclet.ID) error {
	if o.refuses("bytes") {
		return o.Runtime.Verify(id)
	}
	return nil
}

func (o *oneMemory) Discard(id proclet.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if e := o.arrives[id]; e.aside != 0 {
		mm.DiscardHeap(e.heap(), e.shifted(e.d.Used))
	}
	delete(o.arrives, id)
}

func (o *oneMemory) Adopt(id proclet.ID) error {
	o.mu.Lock()
	e := o.arrives[id]
	delete(o.arrives, id)
	d := e.d
	var saved [][]byte
	for i, u := range d.Used {
		saved = append(saved, append([]byte(nil), mm.Bytes(e.shifted(d.Used)[i])...))
		for v := u.Base; v < u.End() && e.aside != 0; v += mm.PageSize {
			if at := v - u.Base; !bytes.Equal(mm.Bytes(mm.Range{Base: v, Size: mm.PageSize}), saved[i][at:at+mm.PageSize]) {
				o.wrong = append(o.wrong, fmt.Sprintf("page %#x of %v is not what has come", v, id))
			}
		}
	}
	if e.aside != 0 {
		mm.DiscardHeap(e.heap(), e.shifted(d.Used))
	}
	o.mu.Unlock()
	for _, m := range *o.all {
		<-m.runtime.Depart(id, o.Current().Machine())
	}
	if err := o.Runtime.Prepare(d); err != nil {
		return err
	}
	for i, u := range d.Used {
		copy(mm.Bytes(u), saved[i])
	}
	return o.Runtime.Adopt(id)
}

// oneMemoryNetwork is the network of such a machine.
type oneMemoryNetwork struct {
	*rack.Rack
	memory *oneMemory
}

// ReceiveBulk puts aside what is copied while it runs.
func (n oneMemoryNetwork) ReceiveBulk(ctx context.Context, from rack.MachineID, transfer uint64, dst []mm.Range) error {
	n.memory.mu.Lock()
	for _, e := range n.memory.arrives {
		if len(dst) > 0 && (&expected{d: e.d}).heap().Contains(dst[0].Base) {
			dst = e.shifted(dst)
			break
		}
	}
	n.memory.mu.Unlock()
	return n.Rack.ReceiveBulk(ctx, from, transfer, dst)
}

// machineInProcess is a machine of a rack in this process.
type machineInProcess struct {
	rack     *rack.Rack
	runtime  *proclet.Runtime
	memory   *oneMemory
	migrator *Migrator
}

// rackInProcess joins n machines.
func rackInProcess(t *testing.T, n int) []*machineInProcess {
	seg := nictest.New(t, nictest.Options{})
	all := make([]*machineInProcess, n)
	var joining sync.WaitGroup
	for i := range all {
		p := port.New(seg.Attach(), netip.Prefix{})
		t.Cleanup(func() { p.Close() })
		joining.Go(func() {
			var console strings.Builder
			r, err := rack.Join(rack.Config{Name: "refusals", Key: "key", Machines: n, Port: p, Build: "test", Console: &console, OnFenced: func() {}})
			if err != nil {
				t.Errorf("machine %d: %v\n%s", i, err, console.String())
			}
			all[i] = &machineInProcess{rack: r}
		})
	}
	joining.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, m := range all {
		t.Cleanup(func() { m.rack.Close() })
		m.runtime = proclet.Serve(m.rack)
		m.memory = &oneMemory{Runtime: m.runtime, all: &all, arrives: map[proclet.ID]expected{}}
		m.migrator = New(oneMemoryNetwork{m.rack, m.memory}, m.memory, 30*time.Second)
		m.migrator.PrecopyAll()
		t.Cleanup(func() {
			for _, wrong := range m.memory.wrong {
				t.Error(wrong)
			}
		})
		m.rack.Handle(rack.ServiceMigrate, m.migrator.serve)
	}
	return all
}

// waitFor waits for something that others bring about.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
