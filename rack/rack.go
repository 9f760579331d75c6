package rack

import (
	"context"
	"io"
	"net"
	"net/netip"
	"time"

	"nuos/drivers/nic/port"
	"nuos/mm"
)

// MachineID is one incarnation of one machine: a machine that reboots gets
// another. It is never reused while the rack lives; 0 is nobody.
type MachineID uint32

// Member is one machine of the rack.
type Member struct {
	ID       MachineID
	MAC      string
	IP       netip.Addr
	Draining bool // takes nothing new
}

// Config says which rack to join, and how. The zero value of a field takes
// the boot parameter named with it.
type Config struct {
	Name      string // rack=
	Key       string // key=
	Machines  int    // machines=: Join returns when so many are there
	Directory string // directory=: IP or MAC of the machine that forms the rack
	Peers     string // peers=: IPs or MACs, comma separated; empty: broadcast
	Dead      time.Duration

	Port     *port.Port // nil: port.Open()
	Observer bool
	Build    string    // build identity; empty: boot.BuildID()
	Console  io.Writer // nil: os.Stderr

	// OnFenced is called once when the others have declared this incarnation
	// dead. nil: say so on the console and exit with code ExitFenced.
	OnFenced func()
}

// Location says where a proclet lives: Moves counts its moves, and of two
// locations the one with more moves is right.
type Location struct {
	Machine MachineID
	Moves   uint64
}

// Rack is this machine's place in the rack. All methods may be called from any
// goroutine.
type Rack struct{}

var _ = net.HardwareAddr{}

func Join(c Config) (*Rack, error)                          { panic("rack: being written") }
func (r *Rack) Self() Member                                { panic("rack: being written") }
func (r *Rack) Members() []Member                           { panic("rack: being written") }
func (r *Rack) Directory() (MachineID, bool)                { panic("rack: being written") }
func (r *Rack) Port() *port.Port                            { panic("rack: being written") }
func (r *Rack) Handle(s Service, h func(Request))           { panic("rack: being written") }
func (r *Rack) HandleInline(s Service, h func(Request))     { panic("rack: being written") }
func (r *Rack) OnJoin(f func(Member))                       { panic("rack: being written") }
func (r *Rack) OnDeath(f func(MachineID))                   { panic("rack: being written") }
func (r *Rack) OnReport(f func() map[uint64]Location)       { panic("rack: being written") }
func (r *Rack) NewTransfer() uint64                         { panic("rack: being written") }
func (r *Rack) LeaseHeap(capacity uint64) (mm.Range, error) { panic("rack: being written") }
func (r *Rack) ReturnHeap(h mm.Range)                       { panic("rack: being written") }
func (r *Rack) Publish(id uint64, at Location)              { panic("rack: being written") }
func (r *Rack) Forget(id uint64)                            { panic("rack: being written") }
func (r *Rack) Drain(ctx context.Context) error             { panic("rack: being written") }
func (r *Rack) Leave(ctx context.Context) error             { panic("rack: being written") }
func (r *Rack) Close() error                                { panic("rack: being written") }

// Call sends req to service s of machine to and returns the reply. req is
// copied; the reply is the caller's.
func (r *Rack) Call(ctx context.Context, to MachineID, s Service, req []byte) ([]byte, error) {
	panic("rack: being written")
}

// SendBulk sends the bytes of src, in order, to the machine that receives the
// transfer. The ranges are read by the NIC: they must not change, and stay
// mapped, until it returns, whatever it returns.
func (r *Rack) SendBulk(ctx context.Context, to MachineID, transfer uint64, src []mm.Range) error {
	panic("rack: being written")
}

// ReceiveBulk fills dst with the bytes that from sends as transfer.
func (r *Rack) ReceiveBulk(ctx context.Context, from MachineID, transfer uint64, dst []mm.Range) error {
	panic("rack: being written")
}

// Locate returns where a proclet lives, from the cache if it knows.
func (r *Rack) Locate(ctx context.Context, id uint64) (Location, error) {
	panic("rack: being written")
}

// Relocate is Locate past the cache: for callers whom the cached machine has
// told that the proclet is not there.
func (r *Rack) Relocate(ctx context.Context, id uint64) (Location, error) {
	panic("rack: being written")
}

// Learn records a location that another machine has told, in the cache only.
func (r *Rack) Learn(id uint64, at Location) { panic("rack: being written") }

// Bind gives name a value unless it has one, and returns the value it has.
func (r *Rack) Bind(ctx context.Context, name string, value []byte) (current []byte, err error) {
	panic("rack: being written")
}

// Resolve returns the value of a name.
func (r *Rack) Resolve(ctx context.Context, name string) ([]byte, error) {
	panic("rack: being written")
}
