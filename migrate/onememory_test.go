//go:build !race

package migrate

import (
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
type oneMemory struct {
	*proclet.Runtime
	all      *[]*machineInProcess
	refusing atomic.Pointer[string]

	mu      sync.Mutex
	arrives map[proclet.ID]proclet.Description
}

func (o *oneMemory) refuses(stage string) bool {
	r := o.refusing.Load()
	return r != nil && *r == stage
}

func (o *oneMemory) Prepare(d proclet.Description) error {
	if o.refuses("memory") {
		return o.Runtime.Prepare(d)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.arrives[d.ID] = d
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
	delete(o.arrives, id)
}

func (o *oneMemory) Adopt(id proclet.ID) error {
	o.mu.Lock()
	d := o.arrives[id]
	delete(o.arrives, id)
	o.mu.Unlock()
	var saved [][]byte
	for _, u := range d.Used {
		saved = append(saved, append([]byte(nil), mm.Bytes(u)...))
	}
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
		m.memory = &oneMemory{Runtime: m.runtime, all: &all, arrives: map[proclet.ID]proclet.Description{}}
		m.migrator = New(m.rack, m.memory, 30*time.Second)
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
