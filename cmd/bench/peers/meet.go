package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// How the two processes meet: the one that serves writes its address to a file.

// patience is how long the server may take to come.
const patience = 10 * time.Second

// listen listens at a free TCP port of this computer, or at a unix socket, and says where.
func listen(network, folder string) (net.Listener, error) {
	at := "127.0.0.1:0"
	if network == "unix" {
		at = filepath.Join(folder, "socket")
	}
	l, err := net.Listen(network, at)
	if err != nil {
		return nil, err
	}
	// Renamed, so that nobody reads half an address.
	file := filepath.Join(folder, "address")
	if err := os.WriteFile(file+".new", []byte(l.Addr().String()), 0o600); err != nil {
		return nil, err
	}
	return l, os.Rename(file+".new", file)
}

// address waits until the server has said where it is.
func address(folder string) (string, error) {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(filepath.Join(folder, "address"))
		if err == nil || !errors.Is(err, fs.ErrNotExist) || time.Since(start) > patience {
			return string(b), err
		}
	}
}

// dial connects to the server.
func dial(network, folder string) (net.Conn, error) {
	at, err := address(folder)
	if err != nil {
		return nil, err
	}
	return net.Dial(network, at)
}

// serveAll has one goroutine for each connection.
func serveAll(network, folder string, serve func(net.Conn) error) error {
	l, err := listen(network, folder)
	if err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			serve(conn) // an error is the client's end
		}()
	}
}
