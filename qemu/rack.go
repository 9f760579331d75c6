package qemu

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"nuos/qemu/tor"
)

// Rack is a running rack: machines, and the switch that joins them. All
// methods may be used concurrently.
type Rack struct {
	Name string
	Key  string // given to every machine; random for each rack
	Dir  string // state, sockets, console logs
	Seed uint64 // of the faults

	options  Options
	accel    string
	loopback [2]byte // of hostIP
	tor      *tor.Switch
	host     *tor.Host
	listen   []string // where the forwards listen
	pcap     *os.File
	lock     *os.File
	unwatch  func() bool

	// life is held shared while a machine starts and exclusively by Stop.
	life    sync.RWMutex
	stopped bool

	adding   sync.Mutex // held while a machine is added
	saving   sync.Mutex // held while the state is written
	mu       sync.Mutex
	machines []*Machine // those that were started, by index
	mirrorMu sync.Mutex
}

// Start starts a rack and returns when its machines run; they have hardly
// begun to boot then. The rack lives until Stop, the end of ctx, or the end of
// this process, however that comes. To have a Ctrl-C leave nothing behind,
// take ctx from signal.NotifyContext and call Stop in any case.
func Start(ctx context.Context, o Options) (_ *Rack, err error) {
	o.setDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &Rack{Name: o.Name, Dir: o.Dir, Seed: o.Seed, options: o}
	defer func() {
		if err != nil {
			r.Stop()
		}
	}()
	if r.Dir == "" && !o.NoNIC {
		r.Dir = DefaultDir(o.Name)
	}
	if err := r.occupy(); err != nil {
		return nil, err
	}
	if err := r.options.build(ctx, r.Dir); err != nil {
		return nil, err
	}
	if err := r.options.checkImage(); err != nil {
		return nil, err
	}
	if !o.Hosted {
		if _, err := emulator(); err != nil {
			return nil, err
		}
		r.accel = accelerator(o.Accel)
	}
	var random [26]byte
	rand.Read(random[:])
	r.Key = hex.EncodeToString(random[:16])
	if r.Seed == 0 {
		r.Seed = binary.NativeEndian.Uint64(random[16:])
	}
	r.loopback = [2]byte(random[24:])
	if !o.NoNIC {
		if err := r.startSwitch(); err != nil {
			return nil, err
		}
	}
	for range o.Machines {
		if _, err := r.AddMachine(); err != nil {
			return nil, err
		}
	}
	r.life.Lock()
	r.unwatch = context.AfterFunc(ctx, func() { r.Stop() })
	r.life.Unlock()
	return r, nil
}

// startSwitch sets up all of the network but the machines' ports.
func (r *Rack) startSwitch() (err error) {
	o := &r.options
	r.tor = tor.New(r.Seed)
	if o.Pcap != "" {
		if r.pcap, err = os.Create(o.Pcap); err != nil {
			return fmt.Errorf("qemu: capture: %w", err)
		}
		if _, err := r.tor.Capture(r.pcap); err != nil {
			return err
		}
	}
	r.host, err = r.tor.AddHost(tor.HostConfig{MAC: gatewayMAC, Addr: netip.PrefixFrom(gateway, Subnet.Bits()), MTU: o.MTU})
	if err != nil {
		return err
	}
	if err := r.host.ServeDHCP(r.addressOf); err != nil {
		return err
	}
	for _, f := range o.Forward {
		forward := r.host.Forward
		if o.Hosted {
			forward = r.tor.ForwardLocal
		}
		at, err := forward(f.Listen, func() []netip.AddrPort { return r.serving(f) })
		if err != nil {
			return err
		}
		r.listen = append(r.listen, at.String())
	}
	return r.tor.ListenClients(filepath.Join(r.Dir, switchFile), tor.ClientConfig{
		MTU: o.MTU, First: netip.PrefixFrom(firstClient, Subnet.Bits()), Count: clientCount, Gateway: gateway,
	})
}

// serving lists that port of the machines that it may be and that run.
func (r *Rack) serving(f Forward) (targets []netip.AddrPort) {
	for _, m := range r.Machines() {
		if m.Running() && (len(f.Only) == 0 || slices.Contains(f.Only, m.index)) {
			targets = append(targets, netip.AddrPortFrom(r.serviceIP(m), f.Port))
		}
	}
	return targets
}

// addressOf is the address book of the DHCP server.
func (r *Rack) addressOf(mac net.HardwareAddr) (netip.Addr, bool) {
	for _, m := range r.Machines() {
		if bytes.Equal(mac, m.MAC()) {
			return m.IP(), true
		}
	}
	return netip.Addr{}, false
}

// Host is the stack of this process on the rack's network; nil with NoNIC.
func (r *Rack) Host() *tor.Host { return r.host }

// Listen lists the addresses of this computer that the rack answers, in the
// order of Options.Forward.
func (r *Rack) Listen() []string { return append([]string(nil), r.listen...) }

// AddMachine starts one more machine. Its boot parameters are those of the
// others, so it joins the rack as it runs.
func (r *Rack) AddMachine() (_ *Machine, err error) {
	r.adding.Lock()
	defer r.adding.Unlock()
	index := len(r.Machines())
	most := maxMachines
	if r.options.Link {
		most = 2
	}
	if index >= most {
		return nil, fmt.Errorf("qemu: this rack has at most %d machines", most)
	}
	m := &Machine{rack: r, index: index}
	if r.tor != nil {
		m.port = r.tor.AddPort(fmt.Sprintf("machine %d", index))
		defer func() {
			if err != nil {
				r.tor.RemovePort(m.port)
			}
		}()
		if err := m.port.SetFaults(r.options.Faults); err != nil {
			return nil, err
		}
		if r.options.Link {
			if err := m.port.ListenStream(r.socket(index)); err != nil {
				return nil, err
			}
		}
		if r.options.Hosted && !r.options.Link || r.options.VhostUser {
			if err := m.port.ListenVhostUser(r.socket(index), tor.NetConfig{MAC: m.MAC(), MTU: r.options.MTU}); err != nil {
				return nil, err
			}
		}
	}
	if err := m.start(); err != nil {
		return nil, err
	}
	return m, r.save()
}

// socket is where machine i is plugged into the switch by itself.
func (r *Rack) socket(i int) string { return filepath.Join(r.Dir, fmt.Sprintf("machine-%d.sock", i)) }

// Switch is the switch that joins the machines; nil with NoNIC.
func (r *Rack) Switch() *tor.Switch { return r.tor }

// Machines lists the machines by index, with those that have ended.
func (r *Rack) Machines() []*Machine {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Machine(nil), r.machines...)
}

// Machine returns machine i. It panics if there is none.
func (r *Rack) Machine(i int) *Machine { return r.Machines()[i] }

// Stop ends every machine, closes the switch and removes sockets and state. It
// leaves console logs and captures. It is idempotent.
func (r *Rack) Stop() error {
	r.life.Lock()
	defer r.life.Unlock()
	if r.stopped {
		return nil
	}
	r.stopped = true
	if r.unwatch != nil {
		r.unwatch()
	}
	var wait sync.WaitGroup
	for _, m := range r.Machines() {
		p, _ := m.current()
		wait.Go(p.kill)
	}
	wait.Wait()
	var errs []error
	if r.tor != nil {
		errs = append(errs, r.tor.Close())
	}
	if r.pcap != nil {
		errs = append(errs, r.pcap.Close())
	}
	errs = append(errs, r.vacate())
	return errors.Join(errs...)
}

// mirror is Options.Mirror for the console of machine i: one writer at a
// time, whole lines, each after the machine's number.
func (r *Rack) mirror(i int) io.Writer {
	if r.options.Mirror == nil || r.options.NoNIC {
		return r.options.Mirror
	}
	var line []byte
	return writerFunc(func(p []byte) (int, error) {
		r.mirrorMu.Lock()
		defer r.mirrorMu.Unlock()
		for _, c := range p {
			if line = append(line, c); c == '\n' {
				fmt.Fprintf(r.options.Mirror, "[%d] %s", i, line)
				line = line[:0]
			}
		}
		return len(p), nil
	})
}

// WaitPort waits until the programs of all machines accept TCP connections at
// port. It fails when ctx or a machine ends first.
func (r *Rack) WaitPort(ctx context.Context, port uint16) error {
	dial := r.host.Dial
	if r.options.Hosted {
		dial = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", to.String())
		}
	}
	for _, m := range r.Machines() {
		// The first packet to a machine that is not up yet is lost, and TCP would
		// wait a second before the next.
		for patience := 50 * time.Millisecond; ; patience = min(2*patience, 2*time.Second) {
			try, cancel := context.WithTimeout(ctx, patience)
			conn, err := dial(try, netip.AddrPortFrom(r.serviceIP(m), port))
			cancel()
			if err == nil {
				conn.Close()
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("qemu: machine %d does not accept connections at port %d: %w", m.Index(), port, ctx.Err())
			}
			if !m.Running() {
				return fmt.Errorf("qemu: machine %d has ended before it accepted connections at port %d (console in %s)", m.Index(), port, m.ConsolePath())
			}
			time.Sleep(20 * time.Millisecond) // a refusal comes at once
		}
	}
	return nil
}

// serviceIP is where a machine's program listens.
func (r *Rack) serviceIP(m *Machine) netip.Addr {
	if r.options.Hosted {
		return r.hostIP(m.index)
	}
	return m.IP()
}
