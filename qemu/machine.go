package qemu

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"

	"nuos/boot"
	"nuos/qemu/tor"
)

// Machine is one machine of a rack, through all its incarnations. All methods
// may be used concurrently.
type Machine struct {
	rack  *Rack
	index int
	port  *tor.Port // nil with NoNIC

	mu          sync.Mutex
	incarnation int // counts Restart
	process     *process
	console     *Console
}

// Index is the machine's number in the rack, from 0.
func (m *Machine) Index() int { return m.index }

// IP is the machine's address; a restart keeps it.
func (m *Machine) IP() netip.Addr { return machineIP(m.index) }

// MAC is the address of its network card; a restart keeps it.
func (m *Machine) MAC() net.HardwareAddr { return machineMAC(m.index) }

// Port is the machine's port of the switch, where its link's faults are set.
func (m *Machine) Port() *tor.Port { return m.port }

// ConsolePath is the file with all that the machine has said, in all its
// incarnations; "" if the rack has no folder.
func (m *Machine) ConsolePath() string {
	if m.rack.Dir == "" {
		return ""
	}
	return filepath.Join(m.rack.Dir, fmt.Sprintf("console-%d.log", m.index))
}

func (m *Machine) current() (*process, *Console) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process, m.console
}

// Console returns what the present incarnation has said so far, or the last
// MiB of it. All of it is in ConsolePath.
func (m *Machine) Console() string {
	_, c := m.current()
	return c.String()
}

// WaitConsole waits until what the present incarnation says matches re and
// returns the match and its groups. It fails when ctx or the machine ends
// first; the error has the last lines and where all of them are.
func (m *Machine) WaitConsole(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	_, c := m.current()
	match, err := c.Wait(ctx, re)
	if err != nil {
		err = fmt.Errorf("machine %d: %w\n(the whole console is in %s)", m.index, err, m.ConsolePath())
	}
	return match, err
}

// Wait waits until the present incarnation ends and returns its exit code.
// Without one the error is ErrReset, ErrKilled or ErrLaunch; when ctx ends
// first it is that of ctx, and the machine goes on.
func (m *Machine) Wait(ctx context.Context) (code int, err error) {
	p, _ := m.current()
	select {
	case <-p.done:
	case <-ctx.Done():
		return -1, fmt.Errorf("qemu: machine %d is running: %w", m.index, ctx.Err())
	}
	return p.code()
}

// Running reports whether the machine has not ended. A paused one runs.
func (m *Machine) Running() bool {
	p, _ := m.current()
	return !p.ended()
}

// Kill ends the machine at once, as pulling the plug does, and returns when it
// is gone.
func (m *Machine) Kill() error {
	p, _ := m.current()
	p.kill()
	return nil
}

// Pause stops the machine between two instructions; its clock goes on. Frames
// for it are dropped when the queues are full.
func (m *Machine) Pause() error {
	p, _ := m.current()
	return p.signal(syscall.SIGSTOP)
}

// Resume lets a paused machine go on.
func (m *Machine) Resume() error {
	p, _ := m.current()
	return p.signal(syscall.SIGCONT)
}

// Restart kills the machine if it runs and starts it again, as a new
// incarnation with the same addresses.
func (m *Machine) Restart() error {
	m.Kill()
	if err := m.start(); err != nil {
		return err
	}
	return m.rack.save()
}

// start begins an incarnation.
func (m *Machine) start() error {
	m.rack.life.RLock() // Stop waits for us, or we see that it came first
	defer m.rack.life.RUnlock()
	if m.rack.stopped {
		return ErrStopped
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil && !m.process.ended() {
		return fmt.Errorf("qemu: machine %d is running", m.index)
	}
	console, err := newConsole(m.ConsolePath(), m.rack.mirror(m.index))
	if err != nil {
		return err
	}
	if m.incarnation > 0 {
		console.note(fmt.Sprintf("--- machine %d, incarnation %d ---\n", m.index, m.incarnation))
	}
	var p *process
	if m.rack.options.Hosted {
		words, env := splitEnvironment(m.rack.parameters(m.index))
		on := -1
		if m.rack.options.Pin {
			on = m.index
		}
		p, err = startProcess(m.rack.options.Image, words, append(os.Environ(), env...), nil, on, console)
	} else {
		p, err = m.startEmulator(console)
	}
	if err != nil {
		console.end()
		return fmt.Errorf("qemu: machine %d: %w", m.index, err)
	}
	m.process, m.console = p, console
	if m.incarnation++; m.incarnation == 1 {
		// Within life, so that Stop finds it.
		m.rack.mu.Lock()
		m.rack.machines = append(m.rack.machines, m)
		m.rack.mu.Unlock()
	}
	return nil
}

// splitEnvironment takes the words that begin with a capital letter out of a
// command line. They are environment variables, which an image finds there
// itself, but an ordinary process has from its parent.
func splitEnvironment(line []string) (words, env []string) {
	for i, w := range line {
		if w == "--" {
			return append(words, line[i:]...), env
		}
		if w != "" && w[0] >= 'A' && w[0] <= 'Z' {
			env = append(env, w)
		} else {
			words = append(words, w)
		}
	}
	return words, env
}

func (m *Machine) startEmulator(console *Console) (*process, error) {
	o := &m.rack.options
	path, err := emulator()
	if err != nil {
		return nil, err
	}
	h := hardware{name: fmt.Sprintf("%s-%d", m.rack.Name, m.index), accel: m.rack.accel, bios: firmware(o, path)}
	words := o.Params
	var files []*os.File
	if m.port != nil && o.VhostUser {
		h.vhost = m.rack.socket(m.index)
	} else if m.port != nil {
		cable, err := m.port.ConnectPair()
		if err != nil {
			return nil, err
		}
		defer cable.Close()
		files = []*os.File{cable}
	}
	if m.port != nil {
		h.mac, h.mtu, words = m.MAC().String(), o.MTU, m.rack.parameters(m.index)
	}
	var watch *os.File
	if m.rack.Dir != "" {
		ours, its, err := socketPair()
		if err != nil {
			return nil, err
		}
		defer its.Close()
		watch, h.monitor, h.watchFD = ours, m.monitorPath(), 3+len(files)
		files = append(files, its)
	}
	line, fits := boot.Line(words)
	if !fits {
		watch.Close()
		return nil, ErrLongLine
	}
	h.line = line
	p, err := startProcess(path, arguments(o, h), environment(), files, -1, console)
	if err != nil {
		watch.Close()
		return nil, err
	}
	p.emulator = true
	if watch != nil {
		go m.watch(watch, console)
	}
	if m.port != nil && m.rack.accel == "tcg" {
		go p.yieldProcessors(o.CPUs)
	}
	return p, nil
}
