package qemu

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
)

// What a rack leaves in its folder while it runs, for other programs to find:
//
//	rack.json       State, readable by its owner only, for it has the key
//	rack.lock       locked for as long as the launcher lives
//	switch.sock     where tor.Dial gets a port of the switch
//	machine-N.sock  where machine N is plugged into the switch: vhost-user, or an uplink
//	link.sock       where two hosted machines meet that have a cable between them
//	monitor-N.sock  QEMU's monitor (package monitor), emulated machines only
//	gdb-N.sock      for gdb, while somebody uses it
//	machine         the executable of hosted machines, if it was built by Start
//	console-N.log   what machine N says; stays when the rack is stopped
//	core-N          the machine's memory when it crashed; stays, too
//	core-N.debug    the symbols for it, if the image has any

// State is what rack.json says of a running rack.
type State struct {
	Name     string
	Key      string
	PID      int // of the launcher
	Hosted   bool
	Image    string
	Seed     uint64
	Switch   string     // socket for tor.Dial
	Listen   []string   // addresses of this computer that the rack answers
	Machines []Instance // by index
}

// Instance is one machine in a State.
type Instance struct {
	Index   int
	PID     int
	IP      netip.Addr
	MAC     string
	Console string // file
	Monitor string // socket; empty when hosted
}

const (
	stateFile  = "rack.json"
	lockFile   = "rack.lock"
	switchFile = "switch.sock"
	linkFile   = "link.sock"
	builtFile  = "machine" // what Options.Package was built into
)

// DefaultDir is the folder of the rack with that name, of this user.
func DefaultDir(name string) string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "nuos", name)
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("nuos-%d", os.Getuid()), name)
}

// longestSocket is the longest name of a socket in Dir, and socketLimit how
// long its path may be (unix(7), sun_path).
const (
	longestSocket = "machine-199.sock"
	socketLimit   = 107
)

// occupy makes the folder ours, or says who has it. What a launcher that was
// killed left behind is removed.
func (r *Rack) occupy() error {
	if r.Dir == "" {
		return nil
	}
	dir, err := filepath.Abs(r.Dir)
	if err != nil {
		return fmt.Errorf("qemu: %w", err)
	}
	r.Dir = dir
	if len(filepath.Join(dir, longestSocket)) > socketLimit {
		return fmt.Errorf("qemu: the folder %s has too long a name for the sockets in it; choose another with Dir", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("qemu: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	r.lock = lock
	if err := sweep(dir); err != nil {
		return err
	}
	for _, pattern := range []string{"console-*.log", "core-*"} {
		old, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range old {
			os.Remove(path)
		}
	}
	return nil
}

// sweep removes all but the logs of a rack whose launcher has ended. Its
// machines ended with it: the operating system saw to that.
func sweep(dir string) error {
	sockets, err := filepath.Glob(filepath.Join(dir, "*.sock"))
	if err != nil {
		return fmt.Errorf("qemu: %w", err)
	}
	var errs []error
	for _, path := range append(sockets, filepath.Join(dir, linkFile+".lock"), filepath.Join(dir, stateFile), filepath.Join(dir, builtFile)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// vacate undoes occupy.
func (r *Rack) vacate() error {
	if r.lock == nil {
		return nil
	}
	// The lock file stays: removing it would let two launchers lock two files
	// of that name.
	defer r.lock.Close()
	return sweep(r.Dir)
}

// save writes the state, in one step.
func (r *Rack) save() error {
	if r.Dir == "" {
		return nil
	}
	s := State{
		Name: r.Name, Key: r.Key, PID: os.Getpid(), Hosted: r.options.Hosted, Image: r.options.Image,
		Seed: r.Seed, Switch: filepath.Join(r.Dir, switchFile), Listen: r.listen,
	}
	r.saving.Lock()
	defer r.saving.Unlock()
	for _, m := range r.Machines() {
		p, _ := m.current()
		i := Instance{Index: m.index, PID: p.cmd.Process.Pid, IP: m.IP(), MAC: m.MAC().String(), Console: m.ConsolePath()}
		if p.emulator {
			i.Monitor = m.monitorPath()
		}
		s.Machines = append(s.Machines, i)
	}
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("qemu: %w", err)
	}
	path := filepath.Join(r.Dir, stateFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("qemu: %w", err)
	}
	return os.Rename(path+".new", path)
}
