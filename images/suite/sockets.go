package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"nuos/boot"
	"nuos/proclet"
	"nuos/rack"
)

// serveEcho starts a server on this machine that sends back what it gets, and tells
// the rack where.
func serveEcho(s *suite) error {
	l, err := net.Listen("tcp", net.JoinHostPort(boot.Host(), "7"))
	if errors.Is(err, os.ErrPermission) { // of the computer that several machines share
		l, err = net.Listen("tcp", net.JoinHostPort(boot.Host(), "0"))
	}
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				fmt.Fprintln(os.Stderr, "suite: echo:", err)
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}
	self := s.rack.Self()
	addr := net.JoinHostPort(cmp.Or(boot.Host(), self.IP.String()), port)
	_, err = s.rack.Bind(context.Background(), echoName(self.ID), []byte(addr))
	return err
}

func echoName(m rack.MachineID) string { return fmt.Sprintf("suite echo %d", m) }

// Client speaks TCP. It is pinned: a connection belongs to one machine.
type Client struct{ bytes int64 }

// exchange is what a Client is to do.
type exchange struct {
	Addr           string
	Messages, Size int
}

// Exchange sends messages and gets them back.
func (c *Client) Exchange(t *proclet.Thread, e exchange) (int64, error) {
	conn, err := net.DialTimeout("tcp", e.Addr, 10*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(bound / 2))
	sent, got := make([]byte, e.Size), make([]byte, e.Size)
	for i := range e.Messages {
		for k := range sent {
			sent[k] = pattern(i, e.Size, k)
		}
		if _, err := conn.Write(sent); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(conn, got); err != nil {
			return 0, err
		}
		if !bytes.Equal(sent, got) {
			return 0, fmt.Errorf("message %d of %d bytes comes back changed", i, e.Size)
		}
		c.bytes += int64(len(got))
	}
	return c.bytes, nil
}

// checkTCPPoll: proclets on all machines speak TCP with all others.
func checkTCPPoll(s *suite) (string, error) {
	messages := s.times(300)
	n := len(s.machines)
	total := make([]int64, n)
	err := together(n, func(i int) error {
		ref, err := proclet.New[Client](s.t, proclet.Options{On: s.machines[i], Pinned: true})
		if err != nil {
			return err
		}
		for k, m := range s.machines {
			addr, err := s.rack.Resolve(context.Background(), echoName(m))
			if err == nil {
				total[i], err = proclet.Call(s.t, ref, (*Client).Exchange, exchange{string(addr), messages, 1 << (4 * k)})
			}
			if err != nil {
				return fmt.Errorf("machine %d to %s: %w", s.machines[i], addr, err)
			}
		}
		return proclet.Release(s.t, ref)
	})
	sum := int64(0)
	for _, b := range total {
		sum += b
	}
	return fmt.Sprintf("%d messages, %d bytes", messages*n*n, sum), err
}
