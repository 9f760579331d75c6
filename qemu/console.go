package qemu

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
)

// keepConsole is how much of a console is kept in memory.
const keepConsole = 1 << 20

// Console is what a machine has said, kept in memory (the end of it, if it is
// much) and written to a file and a mirror as it arrives. It may be used
// concurrently.
type Console struct {
	mu      sync.Mutex
	text    bytes.Buffer
	log     *os.File      // nil: none
	mirror  io.Writer     // nil: none
	changed chan struct{} // closed and replaced when text grows or ends
	ended   bool
}

func newConsole(logPath string, mirror io.Writer) (*Console, error) {
	c := &Console{mirror: mirror, changed: make(chan struct{})}
	if logPath != "" {
		f, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("qemu: console log: %w", err)
		}
		c.log = f
	}
	return c, nil
}

// Write appends what the machine said. It never fails: a full disk must not
// stop a machine, so an error of the log only ends the log.
func (c *Console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.text.Len() > keepConsole {
		c.text.Next(keepConsole / 2)
	}
	c.text.Write(p)
	if c.log != nil {
		if _, err := c.log.Write(p); err != nil {
			fmt.Fprintf(&c.text, "\n[console log ends here: %v]\n", err)
			c.log.Close()
			c.log = nil
		}
	}
	close(c.changed)
	c.changed = make(chan struct{})
	if c.mirror != nil {
		c.mirror.Write(p)
	}
	return len(p), nil
}

// note writes to the log only.
func (c *Console) note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log != nil {
		c.log.WriteString(line)
	}
}

// say adds a line of the launcher's own, on a line of its own.
func (c *Console) say(line string) { c.Write([]byte("\r\n" + line)) }

// end says that nothing more will come.
func (c *Console) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended = true
	if c.log != nil {
		c.log.Close()
		c.log = nil
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// String returns the text so far.
func (c *Console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// Wait returns the first match of re and its groups in the text, waiting for
// it if need be. It fails when ctx ends or the machine does; the error carries
// the last lines.
func (c *Console) Wait(ctx context.Context, re *regexp.Regexp) ([]string, error) {
	for {
		c.mu.Lock()
		text, changed, ended := c.text.String(), c.changed, c.ended
		c.mu.Unlock()
		if m := re.FindStringSubmatch(text); m != nil {
			return m, nil
		}
		if ended {
			return nil, fmt.Errorf("qemu: console ended before %q appeared; its last lines:\n%s", re, lastLines(text, 20))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("qemu: waiting for %q on the console: %w; its last lines:\n%s", re, ctx.Err(), lastLines(text, 20))
		}
	}
}

// lastLines returns the end of text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
