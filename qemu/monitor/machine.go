package monitor

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Stop halts all processors between two instructions, and the machine's clock.
func (c *Client) Stop() error { return c.Execute("stop", nil, nil) }

// Continue lets a stopped machine go on.
func (c *Client) Continue() error { return c.Execute("cont", nil, nil) }

// Quit ends the emulator.
func (c *Client) Quit() error { return c.Execute("quit", nil, nil) }

// Running reports whether the machine is not stopped.
func (c *Client) Running() (bool, error) {
	var status struct{ Running bool }
	err := c.Execute("query-status", nil, &status)
	return status.Running, err
}

// OpenGDB has QEMU listen for gdb at a unix socket. The machine stops when gdb
// connects.
func (c *Client) OpenGDB(path string) error {
	if strings.ContainsAny(path, ", ") {
		return fmt.Errorf("monitor: the socket's path %q has a comma or a space", path)
	}
	said, err := c.human("gdbserver unix:" + path + ",server=on,wait=off")
	if err == nil && !strings.HasPrefix(said, "Waiting") {
		err = &CommandError{"gdbserver", "GenericError", strings.TrimSpace(said)}
	}
	return err
}

// CloseGDB undoes OpenGDB.
func (c *Client) CloseGDB() error {
	_, err := c.human("gdbserver none")
	return err
}

// Memory is the machine's memory by virtual address, as its first processor sees
// it. It is read through a file in a folder that QEMU can write. It is not for
// concurrent use.
type Memory struct {
	client *Client
	file   string
}

// Memory returns the machine's memory. dir must exist for as long as it is read.
func (c *Client) Memory(dir string) *Memory {
	return &Memory{c, filepath.Join(dir, fmt.Sprintf("memory-%d", os.Getpid()))}
}

// ReadAt reads len(p) bytes at a virtual address. All of them must be mapped.
func (m *Memory) ReadAt(p []byte, address int64) (int, error) {
	err := m.client.Execute("memsave", map[string]any{"val": address, "size": len(p), "filename": m.file}, nil)
	if err != nil {
		return 0, err
	}
	defer os.Remove(m.file)
	b, err := os.ReadFile(m.file)
	if err == nil && len(b) != len(p) {
		err = fmt.Errorf("monitor: %d bytes of memory at %#x, want %d", len(b), address, len(p))
	}
	return copy(p, b), err
}

// Registers are those of a processor that are needed to see where it is.
type Registers struct{ IP, SP, BP, GS uint64 }

var (
	registerText = regexp.MustCompile(`\b(RIP|RSP|RBP)=([0-9a-f]+)`)
	segmentText  = regexp.MustCompile(`(?m)^GS =[0-9a-f]+ ([0-9a-f]+)`)
)

// Registers returns those of all processors.
func (c *Client) Registers() (all []Registers, err error) {
	text, err := c.human("info registers -a")
	if err != nil {
		return nil, err
	}
	for _, processor := range strings.Split(text, "CPU#")[1:] {
		var r Registers
		for _, m := range registerText.FindAllStringSubmatch(processor, -1) {
			v, err := strconv.ParseUint(m[2], 16, 64)
			if err != nil {
				return nil, fmt.Errorf("monitor: register %s: %w", m[0], err)
			}
			*map[string]*uint64{"RIP": &r.IP, "RSP": &r.SP, "RBP": &r.BP}[m[1]] = v
		}
		m := segmentText.FindStringSubmatch(processor)
		if m == nil {
			return nil, fmt.Errorf("monitor: no GS in registers %q", processor)
		}
		if r.GS, err = strconv.ParseUint(m[1], 16, 64); err != nil {
			return nil, fmt.Errorf("monitor: register GS: %w", err)
		}
		all = append(all, r)
	}
	return all, nil
}
