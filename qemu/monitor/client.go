package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// Client is a connection to a monitor.
type Client struct {
	conn   *net.UnixConn
	events func(Event)

	mu     sync.Mutex // held for the time of a command
	reply  chan message
	closed chan struct{} // closed when nothing more will come
}

// Event is something that happened to the machine, such as GUEST_PANICKED.
type Event struct {
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

// message is everything that QEMU sends.
type message struct {
	Event
	Greeting json.RawMessage `json:"QMP"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Class  string `json:"class"`
		Reason string `json:"desc"`
	} `json:"error"`
}

// Dial connects to the monitor at a socket and waits for its turn. The caller
// closes the client.
func Dial(ctx context.Context, path string) (*Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	return New(ctx, conn.(*net.UnixConn), nil)
}

// New begins the protocol on a connection, which it closes if that fails. Events
// are given to the function events, if it is not nil, one after the other; it must
// not make commands itself.
func New(ctx context.Context, conn *net.UnixConn, events func(Event)) (*Client, error) {
	c := &Client{conn: conn, events: events, reply: make(chan message), closed: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	go c.read()
	if _, err := c.await("the greeting"); err != nil {
		conn.Close()
		return nil, err
	}
	if err := c.Execute("qmp_capabilities", nil, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.closed }

// read sorts what QEMU says into events and replies.
func (c *Client) read() {
	defer close(c.closed)
	for d := json.NewDecoder(c.conn); ; {
		var m message
		if d.Decode(&m) != nil {
			c.conn.Close()
			return
		}
		if m.Name == "" {
			c.reply <- m
		} else if c.events != nil {
			c.events(m.Event)
		}
	}
}

func (c *Client) await(what string) (json.RawMessage, error) {
	select {
	case m := <-c.reply:
		if m.Error != nil {
			return nil, &CommandError{what, m.Error.Class, m.Error.Reason}
		}
		return m.Return, nil
	case <-c.closed:
		return nil, fmt.Errorf("monitor: %s: %w", what, ErrClosed)
	}
}

// Execute makes a command with the given arguments (a struct or a map, nil for none)
// and decodes what it returns into result, if that is not nil.
func (c *Client) Execute(command string, arguments, result any) error {
	return c.execute(command, arguments, result, nil)
}

// execute also passes a file to QEMU, in rights as of syscall.UnixRights.
func (c *Client) execute(command string, arguments, result any, rights []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	text, err := json.Marshal(struct {
		Command   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, arguments})
	if err != nil {
		return fmt.Errorf("monitor: %s: %w", command, err)
	}
	if _, _, err := c.conn.WriteMsgUnix(text, rights, nil); err != nil {
		return fmt.Errorf("monitor: %s: %w", command, ErrClosed)
	}
	value, err := c.await(command)
	if err != nil || result == nil {
		return err
	}
	if err := json.Unmarshal(value, result); err != nil {
		return fmt.Errorf("monitor: %s: %w", command, err)
	}
	return nil
}

// human makes a command of the monitor that people use, which has some that this
// protocol has not, and returns what it prints.
func (c *Client) human(line string) (printed string, err error) {
	err = c.Execute("human-monitor-command", map[string]string{"command-line": line}, &printed)
	return printed, err
}

// pass gives QEMU a file under a name.
func (c *Client) pass(name string, fd uintptr) error {
	return c.execute("getfd", map[string]string{"fdname": name}, nil, syscall.UnixRights(int(fd)))
}
