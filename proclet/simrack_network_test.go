package proclet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"nuos/mm"
	"nuos/rack"
)

// simMachine is a machine of a simulated rack: the network as its runtime and its
// migrator see it.
type simMachine struct {
	w        *simWorld
	id       rack.MachineID
	rt       *Runtime
	migrator SimMigrator

	// Under w.mu.
	callers   int  // who wait
	moving    int  // moves that are under way
	cut       bool // nothing gets to it, and from it
	dead      bool // the others have declared it so
	fenced    bool // it knows
	onDeath   []func(rack.MachineID)
	cache     map[uint64]rack.Location
	changes   map[uint64]simChange // what the directory is to be told
	transfers uint64
	receiving map[[2]uint64]context.CancelFunc // what BeginReceive has begun, ever
	leased    map[mm.Range]bool
	stacks    map[mm.Range]bool
	coming    map[ID]*simArrival
	evicted   map[ID]bool // has not departed yet, as far as its migrator knows
}

type simChange struct {
	at     rack.Location
	forget bool
}

func newSimMachine(w *simWorld) *simMachine {
	testMu.Lock()
	testMachine++
	m := &simMachine{
		w: w, id: testMachine, cache: map[uint64]rack.Location{}, changes: map[uint64]simChange{},
		leased: map[mm.Range]bool{}, stacks: map[mm.Range]bool{}, coming: map[ID]*simArrival{}, evicted: map[ID]bool{},
		receiving: map[[2]uint64]context.CancelFunc{},
	}
	testMu.Unlock()
	m.rt = serve(m, 42)
	m.migrator = NewSimMigrator(m)
	return m
}

func (m *simMachine) String() string { return fmt.Sprintf("M%d", slices.Index(m.w.machines, m)+1) }

// machine returns a machine of the world.
func (w *simWorld) machine(id rack.MachineID) *simMachine {
	i := slices.IndexFunc(w.machines, func(m *simMachine) bool { return m.id == id })
	return w.machines[i]
}

// simMessage is a request that waits for its answer.
type simMessage struct {
	from, to *simMachine
	service  rack.Service
	data     []byte
	what     string
	carried  bool // it has been executed, or is going to be
	over     bool // the caller has what it gets
	result   chan simResult
}

type simResult struct {
	data []byte
	err  error
}

// end gives the caller a result. Called with mu held.
func (c *simMessage) end(data []byte, err error) {
	if !c.over {
		c.over = true
		if errors.Is(err, rack.ErrMaybeExecuted) {
			c.from.w.doubts++
		}
		c.result <- simResult{data, err}
	}
}

// fail is end with an error of the transport. Called with mu held.
func (c *simMessage) fail(executed, cause error) {
	c.end(nil, &rack.CallError{To: c.to.id, Service: c.service, Executed: executed, Cause: cause})
}

// reachable: the others would hear from it, and it from them.
func (c *simMessage) reachable() bool { return !c.from.cut && !c.to.cut }

// once says that the sender does not ask again.
func (c *simMessage) once() bool {
	return c.service == rack.ServiceProclet && (c.data[0] == messageCreate || c.data[0] == messageReturn)
}

var simKinds = map[byte]string{
	messageCall: "call", messageRelease: "release", messageCreate: "create", messageDestroy: "destroy", messageReturn: "return",
	messageCount: "count", messageAwait: "await", messageResult: "result", messageCancel: "cancel",
	messageFind: "find",
}

// describe is the message as the trace names it. Called with mu held.
func (c *simMessage) describe() string {
	if c.service != rack.ServiceProclet {
		return fmt.Sprintf("%v>%v %s", c.from, c.to, []string{"", "announcement", "copy", "commit", "abort"}[c.data[0]])
	}
	s := fmt.Sprintf("%v>%v %s", c.from, c.to, simKinds[c.data[0]])
	d := &decoder{c.data[1:]}
	if c.data[0] == messageCall {
		if m, err := d.call(nil); err == nil {
			return fmt.Sprintf("%s %s, slot %d, seq %d", s, c.from.w.name(m.id), m.slot, m.seq)
		}
	}
	if id, err := d.id(); err == nil && c.data[0] != messageCreate {
		s += " " + c.from.w.name(id)
	}
	return s
}

func (m *simMachine) Call(ctx context.Context, id rack.MachineID, service rack.Service, req []byte) ([]byte, error) {
	w := m.w
	c := &simMessage{from: m, to: w.machine(id), service: service, data: slices.Clone(req), result: make(chan simResult, 1)}
	w.mu.Lock()
	c.what = c.describe()
	switch {
	case m.fenced:
		c.fail(rack.ErrNotSent, rack.ErrFenced)
	case c.to.dead && !m.dead:
		c.fail(rack.ErrNotSent, rack.ErrLost)
	default:
		w.may(c.what, c.reachable, c.arrive)
		w.messages = append(w.messages, c)
	}
	w.mu.Unlock()
	select {
	case r := <-c.result:
		return r.data, r.err
	case <-ctx.Done():
		w.mu.Lock()
		c.over = true
		w.mu.Unlock()
		return nil, &rack.CallError{To: id, Service: service, Executed: rack.ErrMaybeExecuted, Cause: ctx.Err()}
	}
}

// arrive is a message that arrives, or does not.
func (c *simMessage) arrive() {
	w := c.from.w
	bad := w.profile.unreachable && !c.once()
	late, never := bad && w.chance(6), bad && w.chance(4)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case c.from.dead || c.to.dead:
		return
	case never && !c.over:
		w.say("  never arrives")
		c.fail(rack.ErrNotSent, rack.ErrUnreachable)
		return
	case late && !c.over:
		w.say("  is late: its caller gives up")
		c.carried = true
		c.fail(rack.ErrMaybeExecuted, rack.ErrUnreachable)
		w.may(c.what+", late", c.reachable, c.arrive)
		return
	}
	c.carried = true
	go c.execute()
}

func (c *simMessage) execute() {
	if c.service == rack.ServiceProclet {
		c.to.rt.handle(c.from.id, c.data, reply{here: func(answer []byte) { c.answered(slices.Clone(answer), nil) }})
		return
	}
	c.to.migrator.Receive(c.from.id, c.data, func(err error) {
		if err != nil {
			err = &rack.RemoteError{Text: err.Error()}
		}
		c.answered(nil, err)
	})
}

// answered: the answer could arrive.
func (c *simMessage) answered(data []byte, err error) {
	w := c.from.w
	w.mu.Lock()
	defer w.mu.Unlock()
	what := c.what + ": answer"
	if c.service == rack.ServiceProclet {
		what += []string{"", " done", " failed", " moved", " follow", " unknown", " gone"}[data[0]]
	} else if err != nil {
		what += ": " + err.Error()
	}
	w.may(what, c.reachable, func() {
		lost := w.profile.unreachable && !c.once() && w.chance(5)
		w.mu.Lock()
		defer w.mu.Unlock()
		switch {
		case c.from.dead || c.to.dead:
		case lost && !c.over:
			w.say("  is lost")
			c.fail(rack.ErrMaybeExecuted, rack.ErrUnreachable)
		default:
			c.end(data, err)
		}
	})
}

func (m *simMachine) Self() rack.Member { return rack.Member{ID: m.id} }

func (m *simMachine) Members() (all []rack.Member) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for _, o := range m.w.machines {
		if !o.dead {
			all = append(all, rack.Member{ID: o.id})
		}
	}
	return all
}

func (m *simMachine) Handle(rack.Service, func(rack.Request))       {}
func (m *simMachine) HandleInline(rack.Service, func(rack.Request)) {}

// Begin leaves some calls to goroutines of the caller's. The request is lent, and so is the
// answer.
func (m *simMachine) Begin(to rack.MachineID, s rack.Service, req []byte, done func([]byte, error)) bool {
	m.w.mu.Lock()
	begins := m.w.hash("a request is begun", 50)
	m.w.mu.Unlock()
	if !begins {
		return false
	}
	req = slices.Clone(req)
	go func() {
		answer, err := m.Call(context.Background(), to, s, req)
		answer = slices.Clone(answer)
		done(answer, err)
		clear(answer)
	}()
	return true
}

func (m *simMachine) Linger(*atomic.Bool) {}
func (m *simMachine) Located(id uint64) (rack.Location, bool) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	at, ok := m.cache[id]
	return at, ok
}
func (m *simMachine) OnDeath(f func(rack.MachineID)) { m.onDeath = append(m.onDeath, f) }

func (m *simMachine) LeaseHeap(capacity uint64) (mm.Range, error) {
	testMu.Lock()
	defer testMu.Unlock()
	testHeap = (testHeap + mm.Virt(capacity) - 1) &^ (mm.Virt(capacity) - 1)
	r := mm.Range{Base: testHeap, Size: capacity}
	testHeap = r.End()
	m.leased[r] = true
	return r, nil
}

func (m *simMachine) ReturnHeap(r mm.Range) {
	testMu.Lock()
	defer testMu.Unlock()
	if !m.leased[r] {
		m.w.breaks("%v returned to %v, which is not leased", r, m)
	}
	delete(m.leased, r)
}

func (m *simMachine) LeaseStack(size uint64) (mm.Range, error) {
	testMu.Lock()
	defer testMu.Unlock()
	r := mm.Range{Base: testStack, Size: size}
	testStack = r.End()
	m.stacks[r] = true
	return r, nil
}

func (m *simMachine) Bind(context.Context, string, []byte) ([]byte, error) {
	return nil, rack.ErrNoDirectory
}

func (m *simMachine) Resolve(context.Context, string) ([]byte, error) {
	return nil, rack.ErrNoDirectory
}
