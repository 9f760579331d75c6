package proclet

import (
	"context"
	"hash/fnv"
	"sync"
	"sync/atomic"

	"nuos/boot"
	"nuos/mm"
	"nuos/proclet/internal/fiber"
	"nuos/rack"
)

// network is what a Runtime needs of a *rack.Rack.
type network interface {
	Self() rack.Member
	Members() []rack.Member
	Handle(s rack.Service, h func(rack.Request))
	HandleInline(s rack.Service, h func(rack.Request))
	OnDeath(f func(rack.MachineID))
	Call(ctx context.Context, to rack.MachineID, s rack.Service, req []byte) ([]byte, error)
	Begin(to rack.MachineID, s rack.Service, req []byte, done func(reply []byte, err error)) bool
	Linger(over *atomic.Bool)
	LeaseHeap(capacity uint64) (mm.Range, error)
	ReturnHeap(h mm.Range)
	LeaseStack(size uint64) (mm.Range, error)
	Publish(id uint64, at rack.Location)
	Forget(id uint64, at rack.Location)
	Located(id uint64) (rack.Location, bool)
	Locate(ctx context.Context, id uint64) (rack.Location, error)
	Relocate(ctx context.Context, id uint64) (rack.Location, error)
	Learn(id uint64, at rack.Location)
	Bind(ctx context.Context, name string, value []byte) ([]byte, error)
	Resolve(ctx context.Context, name string) ([]byte, error)
}

// Runtime is this machine's part of the proclets of a rack. Its methods may be
// called from any goroutine.
type Runtime struct {
	net       network
	self      rack.MachineID
	build     uint64 // of the program
	index     uint32 // in runtimes
	outside   Thread // what Current returns
	slots     slots
	regions   regions
	releases  releases
	outsiders outsiders
	credits   credits
	load      load // of all proclets

	made     atomic.Uint32 // proclets made here: the low half of generations
	placing  atomic.Uint32 // counts placements
	attempts atomic.Uint64 // counts attempts to bind a name
	past     atomic.Uint64 // calls, while they lived here, of proclets that do not any more
	counted  atomic.Uint64 // the most that Calls has returned
	cleared  occasion      // the memory of a proclet that has left is given back
	making   sync.Mutex    // held to make a proclet for another machine

	mu       sync.Mutex
	arriving map[ID]*arrival
	reserved map[ID]Description // what memory is mapped for
	departed departures
	unsent   unsentAnswers
}

// Serve starts the proclets of this machine: from now on calls may arrive from
// other machines, and this one may be chosen to hold new proclets. It is called
// once for every rack that was joined; the first Runtime of a process is the one that
// [Current] speaks for.
func Serve(r *rack.Rack) *Runtime {
	build := boot.BuildID()
	return serve(r, buildHash(build[:]))
}

func buildHash(id []byte) uint64 {
	h := fnv.New64a()
	h.Write(id)
	return h.Sum64()
}

func serve(net network, build uint64) *Runtime {
	for _, check := range []func() error{checkRuntime, fiber.Check} {
		if err := check(); err != nil {
			panic(err)
		}
	}
	rt := &Runtime{credits: make(credits, asynchronousCalls), net: net, self: net.Self().ID, build: build, arriving: map[ID]*arrival{}, reserved: map[ID]Description{}}
	rt.slots.flush = rt.release
	runtimesMu.Lock()
	defer runtimesMu.Unlock()
	var list []*Runtime
	if old := runtimes.Load(); old != nil {
		list = append(list, *old...)
	}
	rt.index = uint32(len(list))
	rt.outside.rt = rt.index
	list = append(list, rt)
	runtimes.Store(&list)

	net.OnDeath(func(rack.MachineID) { go rt.forgetDead() })
	net.HandleInline(rack.ServiceProclet, rt.serve)
	net.Handle(rack.ServiceProcletAdmin, rt.serveAdmin)
	return rt
}

var runtimesMu sync.Mutex

// Current is like the function [Current], for this runtime.
func (rt *Runtime) Current() *Thread { return &rt.outside }

// forgetDead forgets answers that dead machines will not ask for.
func (rt *Runtime) forgetDead() {
	dead := rt.dead()
	for _, r := range rt.all() {
		r.forgetDead(dead)
	}
}

// dead returns what tells machines that are not there any more.
func (rt *Runtime) dead() func(rack.MachineID) bool {
	var live map[rack.MachineID]bool
	return func(m rack.MachineID) bool {
		if live == nil { // most of those who are given this never ask
			live = map[rack.MachineID]bool{}
			for _, m := range rt.net.Members() {
				live[m.ID] = true
			}
		}
		return !live[m]
	}
}

func (r *resident) forgetDead(dead func(rack.MachineID) bool) {
	r.alive.RLock()
	defer r.alive.RUnlock()
	if r.heap != nil && r.frozen == nil { // if it leaves, the next machine does it
		r.once.forgetDead(dead)
		r.orphan(dead)
	}
}

// newID returns the ID of a proclet at addr. Generations are unique in the
// rack: machine IDs are, and a machine numbers what it makes. So the generation
// alone names the proclet in the directory.
func (rt *Runtime) newID(addr mm.Virt) ID {
	return ID{uint64(addr), uint64(rt.self)<<32 | uint64(rt.made.Add(1))}
}
