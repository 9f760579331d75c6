package migrate

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"nuos/boot"
	"nuos/migrate/stress"
	"nuos/mm"
	"nuos/proclet"
	"nuos/rack"
)

var leaveParam = boot.NewParam("leave", "1s", "migrate: how long a move waits for the calls inside a proclet before it is given up")

// Network is what a move needs of the rack; see the methods of rack.Rack.
type Network interface {
	Self() rack.Member
	Members() []rack.Member
	Call(ctx context.Context, to rack.MachineID, s rack.Service, req []byte) ([]byte, error)
	Begin(to rack.MachineID, s rack.Service, req []byte, done func(reply []byte, err error)) bool
	Linger(over *atomic.Bool)
	NewTransfer() uint64
	SendBulk(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error
	PushBulk(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error
	SendChanging(ctx context.Context, to rack.MachineID, transfer uint64, src []mm.Range) error
	ReceiveBulk(ctx context.Context, from rack.MachineID, transfer uint64, dst []mm.Range) error
	BeginReceive(from rack.MachineID, transfer uint64, dst []mm.Range, late bool, done func(error))
	AbortReceive(from rack.MachineID, transfer uint64)
}

// Proclets is what a move needs of the proclets; see the methods of
// proclet.Runtime.
type Proclets interface {
	Weigh(id proclet.ID) (bytes uint64, used bool)
	BeginCopy(id proclet.ID, stop func()) error
	Changes(id proclet.ID) (proclet.Description, error)
	Copied(id proclet.ID)
	EndCopy(id proclet.ID)
	BeginLeave(id proclet.ID, bound time.Duration) error
	Reopen(id proclet.ID)
	Describe(id proclet.ID) (proclet.Description, error)
	Depart(id proclet.ID, to rack.MachineID) <-chan struct{}
	Reserve(d proclet.Description) error
	Prepare(d proclet.Description) error
	Verify(id proclet.ID) error
	Adopt(id proclet.ID) error
	Discard(id proclet.ID)
}

// Migrator moves proclets from and to this machine. Its methods may be called
// from any goroutine.
type Migrator struct {
	network  Network
	proclets Proclets
	leave    time.Duration // bound on waiting for calls inside
	least    uint64        // precopyLeast
	enough   uint64        // roundEnough
	log      func(format string, args ...any)
	drained  chan struct{}
	overview func(top int, by By) Overview // nil without a rack
	complete atomic.Pointer[func(*Overview)]
	admit    atomic.Pointer[func(proclet.Description) error]
	placed   atomic.Bool // somebody else moves what lives on a machine that drains

	mu       sync.Mutex
	number   uint64                                 // of the last move begun here
	leaving  map[rack.MachineID]map[uint64]bool     // moves to each machine that are not over
	moving   map[proclet.ID]bool                    // proclets that somebody moves from here
	arrivals map[rack.MachineID]map[uint64]*arrival // by source and number
	floors   map[rack.MachineID]uint64              // moves of a source below are over
	clearing map[proclet.ID]chan struct{}           // proclets that leave for good; closed when their memory is free
	stats    Stats
	pauses   *hdrhistogram.Histogram // nanoseconds

	took     phaseTimes
	patience patience
}

// Serve lets proclets move to and from this machine from now on.
func Serve(r *rack.Rack, rt *proclet.Runtime) *Migrator {
	leave, err := time.ParseDuration(leaveParam.Value())
	if err != nil || leave <= 0 {
		logf("boot parameter leave=%s: want a duration such as 500ms; using %s", leaveParam.Value(), leaveParam.Default)
		leave, _ = time.ParseDuration(leaveParam.Default)
	}
	m := New(r, rt, leave)
	m.overview = func(top int, by By) Overview { return m.overviewOf(r, rt, top, by) }
	r.OnDeath(m.Died)
	r.OnDrain(func() { go m.drain(r, rt) })
	r.HandleInline(rack.ServiceMigrate, m.serve)
	r.Handle(rack.ServiceMigrateAdmin, m.administer)
	stress.Serve(r)
	return m
}

// serve answers a message of another migrator.
func (m *Migrator) serve(q rack.Request) {
	m.Receive(q.From, q.Data, func(err error) {
		if err != nil {
			q.Fail(err)
		} else {
			q.Reply(nil)
		}
	})
}

// Admit has f asked before a proclet is taken in. If it returns an error the source's move ends with
// ErrRefused and its text. f does not wait.
func (m *Migrator) Admit(f func(proclet.Description) error) { m.admit.Store(&f) }

// New makes a migrator that hears nothing by itself: whoever carries messages, such
// as a simulated network, calls Receive and Died. leave bounds how long a move waits for the
// calls inside. Serve is for everybody else.
func New(n Network, p Proclets, leave time.Duration) *Migrator {
	return &Migrator{
		network: n, proclets: p, leave: leave, least: precopyLeast, enough: roundEnough, log: logf, drained: make(chan struct{}),
		moving:   map[proclet.ID]bool{},
		leaving:  map[rack.MachineID]map[uint64]bool{},
		arrivals: map[rack.MachineID]map[uint64]*arrival{},
		floors:   map[rack.MachineID]uint64{},
		clearing: map[proclet.ID]chan struct{}{},
		pauses:   newPauses(),
	}
}
