package migrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

// world is a rack as migrators see it, with a network that loses and delays
// and machines that crash or are cut off. All of it runs in virtual time.
//
// It stands in for rack.Rack and proclet.Runtime; each machine's proclets are a
// gate and a few pages, which are written all the time while the gate is open.
type world struct {
	precopies bool // proclets are copied while they run

	mu       sync.Mutex
	written  map[proclet.ID]*[pages]int // what is in the pages
	random   *rand.Rand
	machines []*machine
	bulks    map[[2]uint64]*bulk
	broken   []string // violated invariants
}

type machine struct {
	*world
	id       rack.MachineID
	migrator *Migrator

	// Under world.mu.
	cut      bool // hears and reaches nobody; crashed, or on the wrong side
	dead     bool // the others have declared it so
	fenced   bool // knows it
	draining bool
	transfer uint64
	copies   map[proclet.ID]*instance

	receiving map[[2]uint64]context.CancelFunc // what BeginReceive has begun, ever
}

// instance is a proclet on one machine.
type instance struct {
	open  bool // calls go in
	left  bool // its memory is being given back
	ready bool // prepared or better
	moves uint64
	pages [pages]int

	copying bool        // while it runs
	changed [pages]bool // not copied since it was written
	said    [pages]bool // to be changed, by Changes
}

const (
	// worldCapacity is the capacity of proclets, of which every other is too large for a small move.
	worldCapacity = 2 * smallMove

	// pages is how many pages a proclet has.
	pages = 8
)

// pageOf is how large the pages of a proclet are.
func pageOf(at mm.Virt) uint64 {
	if uint64(at)/worldCapacity%2 != 0 {
		return smallMove/pages + mm.PageSize
	}
	return mm.PageSize
}

// bulk is a meeting of a sender and a receiver.
type bulk struct {
	sent chan map[mm.Virt]int
	done chan struct{}
}

func newWorld(random *rand.Rand, machines int) *world {
	w := &world{random: random, bulks: map[[2]uint64]*bulk{}, written: map[proclet.ID]*[pages]int{}}
	for i := range machines {
		m := &machine{world: w, id: rack.MachineID(i + 1), copies: map[proclet.ID]*instance{}, receiving: map[[2]uint64]context.CancelFunc{}}
		m.migrator = New(m, m, time.Second)
		m.migrator.log = func(string, ...any) {}
		m.migrator.PrecopyAll()
		w.machines = append(w.machines, m)
	}
	return w
}

func (w *world) chance(percent int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(100) < percent
}

func (w *world) pause(limit time.Duration) {
	w.mu.Lock()
	d := time.Duration(w.random.Int64N(int64(limit)))
	w.mu.Unlock()
	time.Sleep(d)
}

func (w *world) breaks(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// check is called with mu held whenever a gate opens.
func (w *world) check(id proclet.ID) {
	open := 0
	for _, m := range w.machines {
		if c := m.copies[id]; c != nil && c.open {
			open++
		}
	}
	if open > 1 {
		w.breaks("%d copies of %v run", open, id)
	}
}

// add has a proclet run on a machine.
func (w *world) add(m *machine, id proclet.ID) {
	w.written[id] = &[pages]int{}
	for i := range w.written[id] {
		w.written[id][i] = w.random.Int()
	}
	m.copies[id] = &instance{open: true, ready: true, pages: *w.written[id]}
}

// write writes to a proclet while it is copied, when its gate is open: often at first.
func (m *machine) write(id proclet.ID, c *instance) {
	often := 3 * time.Millisecond
	for going := true; going; m.pause(often) {
		often += often / 20
		m.mu.Lock()
		if c.open {
			i := m.random.IntN(pages)
			c.pages[i] = m.random.Int()
			c.changed[i] = true
			m.written[id][i] = c.pages[i]
		}
		going = c.copying && !c.left && !m.fenced
		m.mu.Unlock()
	}
}

// cutOff makes a machine unreachable; after a while the others declare it dead,
// and later still it learns that.
func (w *world) cutOff(m *machine) {
	w.mu.Lock()
	m.cut = true
	w.mu.Unlock()
	w.pause(3 * time.Second)
	w.mu.Lock()
	m.dead = true
	w.mu.Unlock()
	for _, other := range w.machines {
		if other != m {
			other.migrator.Died(m.id)
		}
	}
	w.pause(20 * time.Second)
	w.mu.Lock()
	m.fenced = true
	w.mu.Unlock()
}

// reach waits until to can be reached from m, and says why it cannot be.
func (m *machine) reach(ctx context.Context, to *machine) error {
	for {
		m.mu.Lock()
		fenced, dead, cut := m.fenced, to.dead && !m.cut, m.cut || to.cut
		m.mu.Unlock()
		switch {
		case fenced:
			return rack.ErrFenced
		case dead:
			return rack.ErrLost
		case !cut:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (m *machine) Self() rack.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return rack.Member{ID: m.id, Draining: m.draining}
}

func (m *machine) Members() (all []rack.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.machines {
		if !other.dead {
			all = append(all, rack.Member{ID: other.id})
		}
	}
	return all
}

// Call carries a request there and the answer back, at most once, however late,
// and may lose sight of either.
func (m *machine) Call(ctx context.Context, id rack.MachineID, s rack.Service, req []byte) ([]byte, error) {
	to := m.machines[id-1]
	failed := func(executed, cause error) ([]byte, error) {
		return nil, &rack.CallError{To: id, Service: s, Executed: executed, Cause: cause}
	}
	if err := m.reach(ctx, to); err != nil {
		return failed(rack.ErrNotSent, err)
	}
	answer := make(chan error, 1)
	delay := 2 * time.Millisecond
	if m.chance(10) {
		delay = time.Minute
	}
	lost := m.chance(5)
	go func() {
		m.pause(delay)
		late, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if lost || m.reach(late, to) != nil {
			return // never arrives
		}
		answered := make(chan error, 1)
		to.migrator.Receive(m.id, req, func(err error) { answered <- err })
		err := <-answered
		if m.chance(10) || m.reach(late, to) != nil {
			return // the answer is lost
		}
		if err != nil {
			err = &rack.RemoteError{Text: err.Error()}
		}
		answer <- err
	}()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-answer:
			return nil, err
		case <-ctx.Done():
			return failed(rack.ErrMaybeExecuted, ctx.Err())
		case <-ticker.C:
			m.mu.Lock()
			fenced, dead := m.fenced, to.dead && !m.cut
			m.mu.Unlock()
			if fenced {
				return failed(rack.ErrMaybeExecuted, rack.ErrFenced)
			}
			if dead {
				return failed(rack.ErrMaybeExecuted, rack.ErrLost)
			}
		}
	}
}

// Begin is Call, now and then.
func (m *machine) Begin(id rack.MachineID, s rack.Service, req []byte, done func([]byte, error)) bool {
	if m.chance(30) {
		return false
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		done(m.Call(ctx, id, s, req))
	}()
	return true
}

func (m *machine) Linger(*atomic.Bool) {}

func (m *machine) NewTransfer() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transfer++
	return m.transfer
}

func (m *machine) meet(from rack.MachineID, transfer uint64) *bulk {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := [2]uint64{uint64(from), transfer}
	if m.bulks[k] == nil {
		m.bulks[k] = &bulk{make(chan map[mm.Virt]int, 1), make(chan struct{})}
	}
	return m.bulks[k]
}

func (m *machine) SendBulk(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error {
	return m.send(ctx, to, transfer, src, false)
}

func (m *machine) SendChanging(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error {
	return m.send(ctx, to, transfer, src, true)
}

// send takes one page after the other, and time in between.
func (m *machine) send(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range, changing bool) error {
	b := m.meet(m.id, transfer)
	if err := m.reach(ctx, m.machines[to-1]); err != nil {
		return err
	}
	if m.chance(10) {
		return rack.ErrAborted
	}
	sent := map[mm.Virt]int{}
	for _, r := range src {
		for v := r.Base; v < r.End(); v += mm.Virt(pageOf(v)) {
			m.pause(time.Millisecond)
			m.mu.Lock()
			for id, c := range m.copies {
				if i := (uint64(v) - id.Addr) / pageOf(v); i < pages {
					sent[v] = c.pages[i]
					if c.open && !changing {
						m.breaks("%v is sent as it stands, while calls go in", id)
					}
				}
			}
			m.mu.Unlock()
		}
	}
	b.sent <- sent
	for {
		select {
		case <-b.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
			if err := m.reach(ctx, m.machines[to-1]); err != nil {
				return err
			}
		}
	}
}

func (m *machine) PushBulk(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error {
	return m.SendBulk(ctx, to, transfer, src)
}

func (m *machine) BeginReceive(from rack.MachineID, transfer uint64, dst []mm.Range, late bool, done func(error)) {
	ctx, cancel := context.WithCancel(context.Background())
	k := [2]uint64{uint64(from), transfer}
	m.mu.Lock()
	m.receiving[k] = cancel
	m.mu.Unlock()
	go func() { done(m.ReceiveBulk(ctx, from, transfer, dst)) }()
}

func (m *machine) AbortReceive(from rack.MachineID, transfer uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if cancel := m.receiving[[2]uint64{uint64(from), transfer}]; cancel != nil {
		cancel()
	}
}

func (m *machine) ReceiveBulk(ctx context.Context, from rack.MachineID, transfer uint64, dst []mm.Range) error {
	b := m.meet(from, transfer)
	if err := m.reach(ctx, m.machines[from-1]); err != nil {
		return err
	}
	select {
	case sent := <-b.sent:
		if m.chance(5) {
			return rack.ErrBulkSize
		}
		m.mu.Lock()
		for id, c := range m.copies {
			for v, value := range sent {
				if i := (uint64(v) - id.Addr) / pageOf(v); i < pages {
					c.pages[i] = value
				}
			}
			for _, r := range dst {
				if _, there := sent[r.Base]; !there && uint64(r.Base)-id.Addr < worldCapacity {
					m.breaks("%v: %#x does not come", id, r)
				}
			}
		}
		m.mu.Unlock()
		close(b.done)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *machine) Weigh(id proclet.ID) (bytes uint64, used bool) {
	return pages * pageOf(mm.Virt(id.Addr)), m.precopies
}

func (m *machine) BeginCopy(id proclet.ID, stop func()) error {
	if m.chance(5) {
		return mm.ErrNoWatch
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.copies[id]
	switch {
	case c == nil || !c.ready || c.left:
		return proclet.ErrNoProclet
	case !c.open || c.copying:
		return proclet.ErrBusy
	}
	c.copying = true
	go m.write(id, c)
	for i := range c.changed {
		c.changed[i] = true
	}
	return nil
}

func (m *machine) Changes(id proclet.ID) (proclet.Description, error) {
	if m.chance(2) {
		return proclet.Description{}, mm.ErrNoWatch
	}
	d, err := m.Describe(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.copies[id].copying {
		m.breaks("%v is not being copied", id)
	}
	return d, err
}

func (m *machine) Copied(id proclet.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies[id].said = [pages]bool{}
}

func (m *machine) EndCopy(id proclet.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.copies[id]; c == nil || !c.copying {
		m.breaks("%v was not being copied", id)
	} else {
		c.copying = false
	}
}

func (m *machine) BeginLeave(id proclet.ID, bound time.Duration) error {
	m.mu.Lock()
	c := m.copies[id]
	switch {
	case c == nil || !c.ready || c.left:
		m.mu.Unlock()
		return proclet.ErrNoProclet
	case !c.open:
		m.mu.Unlock()
		return proclet.ErrBusy
	}
	c.open = false
	m.mu.Unlock()
	m.pause(time.Millisecond)
	return nil
}

func (m *machine) Reopen(id proclet.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies[id].open = true
	m.check(id)
}

func (m *machine) Describe(id proclet.ID) (proclet.Description, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, page := m.copies[id], pageOf(mm.Virt(id.Addr))
	d := proclet.Description{ID: id, Capacity: worldCapacity, Mapped: pages * page, Moves: c.moves,
		Used: []mm.Range{{Base: mm.Virt(id.Addr), Size: pages * page}}}
	d.Changed = d.Used
	if c.copying {
		d.Changed = nil
		for i := range c.changed {
			if c.changed[i] {
				c.said[i] = true
			}
			c.changed[i] = false
			if c.said[i] {
				d.Changed = append(d.Changed, mm.Range{Base: mm.Virt(id.Addr + uint64(i)*page), Size: page})
			}
		}
	}
	return d, nil
}

func (m *machine) Depart(id proclet.ID, to rack.MachineID) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.copies[id].open {
		m.breaks("%v departs while calls go in", id)
	}
	c := m.copies[id]
	freed := make(chan struct{})
	go func() {
		m.pause(10 * time.Millisecond)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.copies[id] == c {
			delete(m.copies, id)
		} else {
			m.breaks("%v came back before its memory was free", id)
		}
		close(freed)
	}()
	c.left = true
	return freed
}

func (m *machine) Reserve(d proclet.Description) error { return m.Prepare(d) }

func (m *machine) Prepare(d proclet.Description) error {
	full := m.chance(5)
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.copies[d.ID]
	if c != nil && (c.open || c.left) {
		m.breaks("%v is prepared where it is", d.ID)
	}
	if full {
		delete(m.copies, d.ID)
		return errors.New("no memory")
	}
	if c == nil {
		c = &instance{}
		m.copies[d.ID] = c
	}
	c.moves, c.ready = d.Moves+1, false
	return nil
}

func (m *machine) Verify(id proclet.ID) error {
	if m.chance(2) {
		return mm.ErrHeapCorrupt
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.copies[id].ready = true
	return nil
}

func (m *machine) Adopt(id proclet.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.copies[id]
	if c == nil || !c.ready {
		m.breaks("%v is adopted before its bytes are here", id)
		return nil
	}
	if c.pages != *m.written[id] {
		m.breaks("%v is adopted as %x, and was %x", id, c.pages, *m.written[id])
	}
	c.open = true
	m.check(id)
	return nil
}

func (m *machine) Discard(id proclet.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.copies[id]; c == nil || c.open {
		m.breaks("%v is discarded but lives", id)
	}
	delete(m.copies, id)
}
