package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
)

// copies has package net and package os copy from one thing to another, which they do
// with the calls of transfers where they can.
func copies() {
	data := make([]byte, 1<<20+12345)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	for _, from := range []string{"tcp", "unix", "file"} {
		for _, to := range []string{"tcp", "unix", "file"} {
			for _, limit := range []int{len(data) + 1, 300_000, 0} {
				n, got, err := copyBetween(from, to, data, limit)
				want := data[:min(limit, len(data))]
				say(fmt.Sprintf("copy from %s to %s, %d bytes at most", from, to, limit), fmt.Sprint(n, bytes.Equal(got, want)), err)
			}
		}
	}
}

// copyBetween copies data and returns what arrived.
func copyBetween(from, to string, data []byte, limit int) (n int64, got []byte, err error) {
	var source io.ReadCloser
	if from == "file" {
		name := filepath.Join(dir, "source")
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return 0, nil, err
		}
		source = must(os.Open(name))
	} else {
		a, b := dial(from)
		go func() {
			b.Write(data)
			b.Close()
		}()
		source = a
	}
	defer source.Close()

	var dest io.WriteCloser
	arrived := make(chan []byte, 1)
	name := filepath.Join(dir, "copy")
	if to == "file" {
		dest = must(os.Create(name))
	} else {
		a, b := dial(to)
		go func() {
			all, _ := io.ReadAll(b)
			b.Close()
			arrived <- all
		}()
		dest = a
	}
	n, err = io.Copy(dest, io.LimitReader(source, int64(limit)))
	dest.Close()
	if to == "file" {
		return n, must(os.ReadFile(name)), err
	}
	return n, <-arrived, err
}

// dial returns the two ends of a connection.
func dial(network string) (a, b net.Conn) {
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(dir, "socket")
	}
	l := must(net.Listen(network, address))
	defer l.Close()
	accepted := make(chan net.Conn)
	go func() { accepted <- must(l.Accept()) }()
	a = must(net.Dial(network, l.Addr().String()))
	return a, <-accepted
}
