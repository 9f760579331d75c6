package rack

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"nuos/drivers/nic/port"
	"nuos/mm"
)

// MachineID is one incarnation of one machine: a machine that reboots gets
// another. It is never reused while the rack lives; 0 is nobody. Observers
// have one with the highest bit set.
type MachineID uint32

const observerBit MachineID = 1 << 31

func (a macAddr) String() string { return net.HardwareAddr(a[:]).String() }

// MarshalText and UnmarshalText make addresses readable in JSON.
func (a macAddr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a *macAddr) UnmarshalText(b []byte) error {
	m, err := net.ParseMAC(string(b))
	if err != nil || len(m) != 6 {
		return fmt.Errorf("rack: %q is no Ethernet address", b)
	}
	*a = macAddr(m)
	return nil
}

// Member is one machine of the rack.
type Member struct {
	ID       MachineID
	MAC      string
	IP       netip.Addr
	Draining bool // takes nothing new
}

func (m *MemberRecord) public() Member {
	return Member{m.ID, m.MAC.String(), m.IP, m.Draining}
}

// Rack is this machine's place in the rack. All methods may be called from any
// goroutine.
//
// Locks, outermost first: the directory's, mu, those of the endpoint and its sessions. No lock
// is held while a callback runs or an answer is waited for; what must wait for
// answers alone takes a turn.
type Rack struct {
	config  Config
	machine machineConfig
	e       *endpoint
	ownPort bool // opened by Join
	ctx     context.Context
	cancel  context.CancelCauseFunc
	loops   sync.WaitGroup
	events  eventQueue

	heaps heapLeases
	known locations
	batch publisher

	transfers atomic.Uint64
	reports   atomic.Pointer[func() map[uint64]Location]
	sessions  atomic.Pointer[map[MachineID]*session] // those of members that were begun to call; changes with mu held
	onDrain   atomic.Pointer[func()]

	directory directory
	asked     atomic.Uint64 // times that this machine has asked the directory

	mu        sync.Mutex
	closed    bool
	founder   founder
	ballot    uint64          // the highest that anybody has promised, to found the rack
	view      View            // the newest known to be decided
	reign     context.Context // ends with the epoch of view
	endReign  context.CancelFunc
	changed   chan struct{}
	searchers map[uint64]*searcher
	hint      directoryHint
	refused   error
	rebooted  map[uint64]bool // incarnations whose machine has booted again
	alone     bool            // it is about to go on without the other voter
	isFenced  bool
	noted     map[string]time.Duration // sentences on the console, and when
	names     map[string][]byte        // those that were asked for here
	told      map[uint64]uint64        // directory: version of the view that each machine has
	heard     map[uint64]bool          // who has heard that it has left
	removing  map[MachineID]bool       // directory: who is being declared dead
	draining  bool
}

// Self returns this machine.
func (r *Rack) Self() Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.view.byNonce(r.e.nonce); m != nil {
		return m.public()
	}
	return Member{ID: MachineID(r.e.id.Load()), MAC: r.e.mac.String(), IP: r.e.port.Addr().Addr(), Draining: r.draining}
}

// Members returns the machines of the rack by ID, this one included.
func (r *Rack) Members() []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Member, len(r.view.Members))
	for i := range all {
		all[i] = r.view.Members[i].public()
	}
	return all
}

// Directory returns the directory machine, as far as is known here; ok is
// false while there is none that can decide anything.
func (r *Rack) Directory() (id MachineID, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id = r.view.Directory
	m := r.view.member(id)
	if m == nil {
		return id, false
	}
	if m.Nonce == r.e.nonce {
		return id, r.directory.leads.Load()
	}
	s := r.e.peers.Load().byNonce[m.Nonce]
	return id, s == nil || s.silentFor() < r.e.limit
}

// Epoch returns the fencing epoch: it rises with every new directory.
func (r *Rack) Epoch() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.view.Epoch
}

// Port is the machine's NIC, for those who share it.
func (r *Rack) Port() *port.Port { return r.e.port }

// Handle has h called with every request for service s, each in a goroutine of
// its own. Peers bound how many there can be: 256 requests of ordinary and as
// many of system services from each machine are under way at a time.
func (r *Rack) Handle(s Service, h func(Request)) { r.e.handle(s, handler{h, false}) }

// HandleInline is Handle for handlers that take microseconds: h runs on
// whoever polls the NIC. It must neither block nor call, and the Data of the
// request is lent until it returns.
func (r *Rack) HandleInline(s Service, h func(Request)) { r.e.handle(s, handler{h, true}) }

// Call sends req to service s of machine to and returns the reply, which is
// the caller's. req is copied and may be changed afterwards.
//
// The request is executed at most once. An error that the handler answered is
// a *RemoteError; any other is a *CallError, which says whether the request
// may have been executed. Call returns within about Config.Dead when the
// machine dies; without that it waits as long as ctx says.
func (r *Rack) Call(ctx context.Context, to MachineID, s Service, req []byte) ([]byte, error) {
	if to == MachineID(r.e.id.Load()) && to != 0 {
		if err := context.Cause(r.ctx); err != nil {
			return nil, &CallError{to, s, ErrNotSent, err}
		}
		return r.e.callSelf(ctx, s, req)
	}
	p, err := r.peer(ctx, to)
	if err != nil {
		return nil, &CallError{to, s, ErrNotSent, err}
	}
	return p.call(ctx, s, req)
}

// Begin is Call for those who cannot wait. It returns at once; done is called
// with what Call would have returned, on whoever polls the NIC: it must take
// microseconds, and neither block nor call. reply is lent until it returns; req
// must not change until it is called.
//
// Begin reports false, and done is not called, if the request cannot be sent at
// once, because the machine is this one, or not known here, or as many calls are
// under way to it as may be. Call waits, and says what is wrong.
func (r *Rack) Begin(to MachineID, s Service, req []byte, done func(reply []byte, err error)) bool {
	p := r.session(to)
	return p != nil && p.begin(s, req, done)
}

// session returns the session with a member, if there is one already.
func (r *Rack) session(id MachineID) *session {
	if p := (*r.sessions.Load())[id]; p != nil {
		return p
	}
	return r.reach(id)
}

// reach returns the session with a member, if there is one, and notes it in sessions.
func (r *Rack) reach(to MachineID) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.view.member(to)
	if m == nil || r.closed {
		return nil
	}
	p := r.e.peers.Load().byNonce[m.Nonce]
	if p != nil {
		all := maps.Clone(*r.sessions.Load())
		all[to] = p
		r.sessions.Store(&all)
	}
	return p
}

// Linger polls the NIC until over is true, but only for as long as is quicker than
// to park, and not at all if calls usually take longer to be answered. It is for
// those who are going to park until a done of Begin wakes them.
func (r *Rack) Linger(over *atomic.Bool) { r.e.linger(over) }

// Done returns a channel that is closed when this machine is a member no more, because it has left, was
// closed or is fenced.
func (r *Rack) Done() <-chan struct{} { return r.ctx.Done() }

// Polling returns how many goroutines poll the NIC. They are ready to run all the time, and give way
// to all others: to those who count what waits for a processor they do not count.
func (r *Rack) Polling() (n int) {
	if r.e.port.Pumping() {
		n++
	}
	if r.e.lingering.Load() {
		n++
	}
	return n
}

// SendBulk sends the bytes of src, in order, to the machine that receives the
// transfer. The number of a transfer is agreed on before, by a call, and comes
// from NewTransfer. The ranges are read by the NIC: they must be memory of mm,
// must not change and must stay mapped until SendBulk returns, whatever it
// returns.
func (r *Rack) SendBulk(ctx context.Context, to MachineID, transfer uint64, src []mm.Range) error {
	p, err := r.peer(ctx, to)
	if err != nil {
		return err
	}
	return p.sendBulk(ctx, transfer, src)
}

// PushBulk is SendBulk that does not wait for the receiver to begin, which is told of the
// transfer by a request that was sent before, and takes it with BeginReceive.
func (r *Rack) PushBulk(ctx context.Context, to MachineID, transfer uint64, src []mm.Range) error {
	p, err := r.peer(ctx, to)
	if err != nil {
		return err
	}
	return p.pushBulk(ctx, transfer, src)
}

// SendChanging is SendBulk of memory that somebody writes meanwhile. Of what has been
// written before SendChanging returns, anything may arrive, also a part.
func (r *Rack) SendChanging(ctx context.Context, to MachineID, transfer uint64, src []mm.Range) error {
	p, err := r.peer(ctx, to)
	if err != nil {
		return err
	}
	return p.sendChanging(ctx, transfer, src)
}

// ReceiveBulk fills dst with the bytes that from sends as transfer. When it
// returns nothing writes to dst any more, whatever it returns.
func (r *Rack) ReceiveBulk(ctx context.Context, from MachineID, transfer uint64, dst []mm.Range) error {
	p, err := r.peer(ctx, from)
	if err != nil {
		return err
	}
	return p.receiveBulk(ctx, transfer, dst)
}

// BeginReceive is ReceiveBulk of what is sent with PushBulk, without waiting: done is called,
// once, when ReceiveBulk would return, on the poller if everything is well. An inline handler
// that is told of the transfer calls it before it returns, so that the first bytes, which are on
// their way, find their place; whoever calls it later says so. AbortReceive ends it.
func (r *Rack) BeginReceive(from MachineID, transfer uint64, dst []mm.Range, late bool, done func(error)) {
	if s := r.session(from); s != nil {
		s.beginReceive(transfer, dst, late, done)
	} else {
		go done(ErrLost) // whoever has told of the transfer was a member
	}
}

// AbortReceive gives up what BeginReceive has begun, unless it is over.
func (r *Rack) AbortReceive(from MachineID, transfer uint64) {
	if s := r.session(from); s != nil {
		s.abortReceive(transfer)
	}
}

// NewTransfer returns a number that no other bulk transfer of the rack has.
func (r *Rack) NewTransfer() uint64 {
	return uint64(r.e.id.Load())<<32 | r.transfers.Add(1)&0xffffffff
}

// peer returns the session with a member. A machine that is not known here may
// have joined just now: the view is waited for.
func (r *Rack) peer(ctx context.Context, id MachineID) (*session, error) {
	deadline := time.Now().Add(r.config.Dead)
	for {
		r.mu.Lock()
		m, gone, changed := r.view.member(id), id != 0 && id < r.view.NextID, r.changed
		r.mu.Unlock()
		if err := context.Cause(r.ctx); err != nil {
			return nil, err
		}
		if m != nil {
			if s := r.e.session(m.Nonce, m.MAC, m.IP); s != nil {
				return s, nil
			}
			return nil, ErrLost
		}
		if gone {
			return nil, ErrLost
		}
		if id&observerBit != 0 {
			for _, s := range r.e.peers.Load().byNonce {
				if s.id.Load() == uint32(id) {
					return s, nil
				}
			}
			return nil, ErrLost
		}
		timer := time.NewTimer(time.Until(deadline))
		select {
		case <-changed:
		case <-timer.C:
			timer.Stop()
			return nil, ErrUnreachable
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-r.ctx.Done():
		}
		timer.Stop()
	}
}

// turn is held by one goroutine at a time, perhaps for long.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the turn, or for ctx to end.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t turn) pass() { <-t }

// spawn runs f in a goroutine that Close waits for, unless the rack is closed.
func (r *Rack) spawn(f func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.loops.Go(f)
	return true
}

// note says a sentence on the console, the same one at most once a minute.
func (r *Rack) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	r.mu.Lock()
	now := r.e.now()
	last, said := r.noted[text]
	quiet := said && now-last < time.Minute
	if !quiet {
		if len(r.noted) > 256 {
			clear(r.noted)
		}
		r.noted[text] = now
	}
	r.mu.Unlock()
	if !quiet {
		fmt.Fprintf(r.console(), "rack: %s\n", text)
	}
}

func (r *Rack) console() io.Writer {
	if r.config.Console != nil {
		return r.config.Console
	}
	return os.Stderr
}
