package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"
)

// patience is how long the network may take for one turn, on a machine whose
// processors all have more to do than they can.
const patience = time.Minute

// serve sends streams and datagrams back, and returns the address at which this
// machine itself reaches it.
func serve(addr string) (string, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		if l, err = net.Listen("tcp", ":0"); err != nil { // hosted, without the right to the port
			return "", err
		}
	}
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				fail(err)
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := p.ReadFrom(b)
			if err == nil {
				_, err = p.WriteTo(b[:n], from)
			}
			if err != nil {
				fail(err)
				return
			}
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return net.JoinHostPort("127.0.0.1", port), err
}

// stream sends some pieces over a connection of their own and reads them back.
func stream(addr string, worker int) error {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	for range 4 {
		sent := make([]byte, 1+rand.IntN(20000))
		for i := range sent {
			sent[i] = byte(i + worker)
		}
		wrote := make(chan error, 1)
		go func() {
			_, err := c.Write(sent)
			wrote <- err
		}()
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(c, got); err != nil {
			return err
		}
		if err := <-wrote; err != nil {
			return err
		}
		if !bytes.Equal(got, sent) {
			return fmt.Errorf("%d bytes came back changed", len(sent))
		}
	}
	return nil
}

// datagrams sends some, and looks at those that come back: some may be lost.
func datagrams(addr string, worker int) error {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	got := make([]byte, 2048)
	for i := range 8 {
		sent := bytes.Repeat([]byte{byte(worker), byte(i)}, 1+rand.IntN(600))
		if _, err := c.Write(sent); err != nil {
			return err
		}
		c.SetReadDeadline(time.Now().Add(time.Second))
		n, err := c.Read(got)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil // and so may be late
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(got[:n], sent) {
			return fmt.Errorf("a datagram of %d bytes came back as %d others", len(sent), n)
		}
	}
	return nil
}
