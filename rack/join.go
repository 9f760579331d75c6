package rack

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"nuos/boot"
	"nuos/drivers/nic/port"
)

// Join is JoinContext without a bound.
func Join(c Config) (*Rack, error) { return JoinContext(context.Background(), c) }

// JoinContext makes this machine a member of its rack, or forms the rack if there is
// none, and returns when Config.Machines machines are there. It waits as long
// as that takes, or until ctx ends. It fails with ErrRefused if the rack runs another build, and
// with ErrParameter if it cannot understand what it was told.
func JoinContext(ctx context.Context, c Config) (*Rack, error) {
	if err := c.fromParams(); err != nil {
		return nil, err
	}
	places, err := c.places()
	if err != nil {
		return nil, err
	}
	if c.Build == "" {
		id := boot.BuildID()
		c.Build = hex.EncodeToString(id[:])
	}
	ownPort := c.Port == nil
	if ownPort {
		if c.Port, err = port.Open(); err != nil {
			return nil, fmt.Errorf("rack: %w", err)
		}
	}
	r := newRack(c, places)
	r.ownPort = ownPort
	if ownPort {
		boot.ReportUnknown(r.console()) // an image has said so already, a hosted machine not
	}
	r.start()
	if c.Observer {
		err = r.observe(ctx)
	} else if err = r.search(ctx); err == nil {
		err = r.awaitMachines(ctx)
	}
	if err != nil {
		if errors.Is(err, ErrRefused) {
			r.note("%v", err)
		}
		r.Close()
		return nil, err
	}
	return r, nil
}

func newRack(c Config, places machineConfig) *Rack {
	r := &Rack{
		config: c, machine: places,
		e:         newEndpoint(c.Port, newAuthenticator(c.Name, c.Key), c.Build, ticksToDeath),
		changed:   make(chan struct{}),
		searchers: map[uint64]*searcher{},
		rebooted:  map[uint64]bool{},
		noted:     map[string]time.Duration{},
		names:     map[string][]byte{},
		told:      map[uint64]uint64{},
		heard:     map[uint64]bool{},
		removing:  map[MachineID]bool{},
	}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	r.reign, r.endReign = context.WithCancel(context.Background())
	r.events.init()
	r.directory.init()
	r.heaps.asking = newTurn()
	r.known.at = map[uint64]Location{}
	r.sessions.Store(&map[MachineID]*session{})
	r.batch.pending, r.batch.wake = map[uint64]located{}, make(chan struct{}, 1)
	r.e.admit, r.e.control = r.admit, r.control
	r.e.role.Store(uint32(roleCandidate))
	return r
}

// start begins to listen and to keep time.
func (r *Rack) start() {
	r.Handle(ServiceStatus, r.serveStatus)
	if !r.config.Observer {
		r.Handle(ServiceView, r.serveView)
		r.Handle(ServiceDirectory, r.serveDirectory)
		r.Handle(ServiceDrain, r.serveDrain)
		r.HandleInline(ServiceReplica, r.serveReplica)
	}
	r.spawn(func() { r.events.run(r.ctx.Done()) })
	r.spawn(r.beat)
	if !r.config.Observer {
		r.spawn(r.runPublisher)
		r.spawn(r.runDirectory)
	}
	r.e.listen()
}

// awaitMachines waits until as many members as the configuration wants are
// there, and the directory has begun to serve.
func (r *Rack) awaitMachines(ctx context.Context) error {
	for {
		r.mu.Lock()
		n, begun, changed := len(r.view.Members), r.view.Epoch > foundingEpoch, r.changed
		r.mu.Unlock()
		if n >= r.config.Machines && begun {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-r.ctx.Done():
			return context.Cause(r.ctx)
		}
	}
}

// Close ends this machine's part without a word to the others, who declare it
// dead in time. Leave is the polite way.
func (r *Rack) Close() error {
	r.mu.Lock()
	was := r.closed
	r.closed = true
	r.mu.Unlock()
	r.cancel(ErrClosed)
	r.e.close(ErrClosed)
	r.loops.Wait()
	if !was && r.ownPort {
		return r.e.port.Close()
	}
	return nil
}
