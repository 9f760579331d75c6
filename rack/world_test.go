package rack

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
)

// world is machines on a segment, in virtual time.
type world struct {
	t   *testing.T
	seg *nictest.Segment
	ctx context.Context // of those who join
	all []*machine      // whose state to show when a test fails
}

// console collects what machines say.
type console struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (c *console) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(b)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// machine is one incarnation.
type machine struct {
	*Rack
	dev    *nictest.Device
	out    console
	fenced chan struct{}
}

// inWorld runs f in a bubble with a segment, and fails if goroutines are left.
func inWorld(t *testing.T, o nictest.Options, f nictest.Faults, run func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, seg: nictest.New(t, o), ctx: t.Context()}
		w.seg.SetFaults(f)
		run(t, w)
	})
}

func (w *world) config() Config {
	return Config{Name: "test", Key: "key", Build: "build", Machines: 1, Dead: 3 * time.Second}
}

// boot starts a machine on a device, a new one if dev is nil.
func (w *world) boot(dev *nictest.Device, c Config) (*machine, error) {
	if dev == nil {
		dev = w.seg.Attach()
	}
	m := &machine{dev: dev, fenced: make(chan struct{})}
	if c.Port == nil {
		c.Port = port.New(dev, netip.Prefix{})
	}
	c.Console = &m.out
	c.OnFenced = func() { close(m.fenced) }
	r, err := JoinContext(w.ctx, c)
	if err != nil {
		c.Port.Close()
		return m, err
	}
	m.Rack = r
	w.t.Cleanup(func() { m.kill() })
	return m, nil
}

// reboot starts the machine that m was again.
func (w *world) reboot(m *machine, c Config) (*machine, error) {
	dev := w.seg.Attach()
	c.Port = port.New(sameMAC{dev, m.dev}, netip.Prefix{})
	return w.boot(dev, c)
}

// sameMAC is a device with the address of another.
type sameMAC struct {
	*nictest.Device
	former *nictest.Device
}

func (d sameMAC) Info() nic.Info {
	i := d.Device.Info()
	i.MAC = d.former.Info().MAC
	return i
}

// bootAll starts n machines at once.
func (w *world) bootAll(n int, c Config) []*machine {
	w.t.Helper()
	all := make([]*machine, n)
	devs := make([]*nictest.Device, n)
	for i := range devs {
		devs[i] = w.seg.Attach()
	}
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			var err error
			if all[i], err = w.boot(devs[i], c); err != nil {
				w.t.Errorf("machine %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if w.t.Failed() {
		w.t.FailNow()
	}
	return all
}

// kill stops a machine without a word.
func (m *machine) kill() {
	if m.Rack != nil {
		m.e.port.Close()
		m.Close()
	}
}

// await waits, in virtual time, for a condition.
func (w *world) await(what string, cond func() bool) {
	w.t.Helper()
	for range 600 {
		if cond() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, m := range w.all {
		if m.alive() {
			st := m.Status()
			w.t.Logf("machine %d, nonce %x: directory %v, replica %+v, view %+v", st.Self, m.e.nonce, st.Directory, st.Replica, st.View)
			for _, p := range st.Peers {
				w.t.Logf("    %+v", p)
			}
		}
	}
	w.t.Fatalf("a minute has passed without: %s", what)
}

// agree waits until all machines have the same n members and a directory among
// them that serves.
func (w *world) agree(all []*machine, n int) {
	w.t.Helper()
	w.all = all
	w.await(fmt.Sprintf("%d machines agree on %d members", len(all), n), func() bool {
		leaders := 0
		for _, m := range all {
			if len(m.Members()) != n || m.version() != all[0].version() {
				return false
			}
			if m.Status().Directory {
				leaders++
			}
			if _, ok := m.Directory(); !ok {
				return false
			}
		}
		return leaders <= 1
	})
}

func (m *machine) version() [2]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return [2]uint64{m.view.Epoch, m.view.Version}
}

func (w *world) leader(all []*machine) (int, *machine) {
	w.t.Helper()
	for i, m := range all {
		if m.Status().Directory {
			return i, m
		}
	}
	w.t.Fatal("no directory")
	return 0, nil
}

func without(all []*machine, i int) []*machine {
	return append(append([]*machine{}, all[:i]...), all[i+1:]...)
}
