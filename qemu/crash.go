package qemu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"nuos/boot/image"
	"nuos/qemu/monitor"
)

// What happens when a machine crashes: its kernel panics, a signal that dumps core
// ends its program (both tell the emulator through its pvpanic device), or it
// resets itself, as after a triple fault. The emulator stops it and tells the
// launcher, who saves a core and lets the machine come to its end.

// monitorPath is the socket of the machine's monitor.
func (m *Machine) monitorPath() string {
	return filepath.Join(m.rack.Dir, fmt.Sprintf("monitor-%d.sock", m.index))
}

// corePath is where a crash of the machine leaves its core.
func (m *Machine) corePath() string {
	return filepath.Join(m.rack.Dir, fmt.Sprintf("core-%d", m.index))
}

// Core returns the file with the memory of the machine's last crash, "" if it has
// not crashed or the rack has no folder. Package inspect reads it.
func (m *Machine) Core() string {
	if m.rack.Dir == "" {
		return ""
	}
	if _, err := os.Stat(m.corePath()); err != nil {
		return ""
	}
	return m.corePath()
}

// socketPair makes two connected sockets, the second for a child.
func socketPair() (ours, its *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("qemu: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor"), nil
}

// Events and states of the emulator (QEMU, qapi/run-state.json).
const (
	panickedEvent = "GUEST_PANICKED"
	shutdownEvent = "SHUTDOWN"
	panickedState = "guest-panicked"
	shutdownState = "shutdown"
)

// watch saves a core if the machine crashes. It returns when the emulator has
// ended.
func (m *Machine) watch(socket *os.File, console *Console) {
	conn, err := net.FileConn(socket)
	socket.Close()
	if err != nil {
		console.note(fmt.Sprintf("qemu: no core of a crash can be saved: %v\n", err))
		return
	}
	events := make(chan monitor.Event, 64) // more than the few of a machine that ends
	client, err := monitor.New(context.Background(), conn.(*net.UnixConn), func(e monitor.Event) {
		switch e.Name {
		case panickedEvent, shutdownEvent:
			events <- e
		}
	})
	if err != nil {
		return // it has ended already
	}
	defer client.Close()
	// What happened before the connection was made is no event any more.
	var status struct{ Status string }
	if client.Execute("query-status", nil, &status) != nil {
		return
	}
	switch status.Status {
	case panickedState:
		events <- monitor.Event{Name: panickedEvent}
	case shutdownState:
		events <- monitor.Event{Name: shutdownEvent, Data: []byte(`{"reason": "guest-reset"}`)} // what else would it do so early
	}
	for saved := false; ; saved = true {
		select {
		case <-client.Done():
			return
		case e := <-events:
			if !saved && crashed(e) { // what it is told twice has happened once
				m.reportCore(client, console)
			}
			if e.Name == shutdownEvent {
				client.Quit() // an error says that it has ended
				return
			}
			client.Continue()
		}
	}
}

// crashed reports whether an event is a crash: a shutdown is only one if the machine
// has reset itself.
func crashed(e monitor.Event) bool {
	var why struct{ Reason string }
	return e.Name == panickedEvent || json.Unmarshal(e.Data, &why) == nil && why.Reason == "guest-reset"
}

// reportCore saves a core and says so on the console.
func (m *Machine) reportCore(client *monitor.Client, console *Console) {
	if err := m.saveCore(client); err != nil {
		console.say(fmt.Sprintf("qemu: no core could be saved: %v\n", err))
		return
	}
	console.say(fmt.Sprintf("qemu: the machine's memory is saved: nuos core %s\n", m.corePath()))
}

// saveCore leaves a core and its symbols in the rack's folder.
func (m *Machine) saveCore(client *monitor.Client) error {
	if err := client.SaveCore(m.corePath()); err != nil {
		return err
	}
	symbols := m.corePath() + image.SymbolsSuffix
	os.Remove(symbols) // of an earlier crash
	err := KeepSymbols(m.rack.options.Image, symbols)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an image without symbols has a core all the same
	}
	return err
}

// KeepSymbols has the symbols of an image stay in the file to when the image goes.
// The error wraps fs.ErrNotExist if the image has none.
func KeepSymbols(path, to string) error {
	from := path + image.SymbolsSuffix
	if err := os.Link(from, to); err == nil || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := os.ReadFile(from) // on another file system
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o600)
}
