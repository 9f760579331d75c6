package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// sockets uses Unix-domain sockets without package net, which a program need not
// have: through the runtime's poller, through blocking calls, by path, and to pass
// a descriptor.
func sockets([]string) error {
	for _, do := range []func() error{pairOfFiles, pairThatBlocks, socketByPath, passedFile} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// pairOfFiles moves more through a pair than fits into it, lets a read time out
// and writes to an end that nobody reads.
func pairOfFiles() error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	a, b := os.NewFile(uintptr(fds[0]), "a"), os.NewFile(uintptr(fds[1]), "b")
	defer a.Close()
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := a.Write(want)
		failed <- err
	}()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(b, got); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("what came through a pair of sockets differs: %v", err)
	}
	if err := <-failed; err != nil {
		return err
	}
	b.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	if _, err := b.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a read with a deadline: %v", err)
	}
	b.Close()
	if _, err := a.Write(want); !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("writing to a closed pair: %v", err)
	}
	return nil
}

// pairThatBlocks waits inside of calls.
func pairThatBlocks() error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET, 0)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		var b [100]byte
		for k := range 1000 {
			n, err := syscall.Read(fds[1], b[:])
			if err != nil || n != k%50+1 {
				done <- fmt.Errorf("packet %d has %d bytes: %v", k, n, err)
				return
			}
		}
		n, err := syscall.Read(fds[1], b[:])
		if n != 0 || err != nil {
			done <- fmt.Errorf("after the end: %d, %v", n, err)
			return
		}
		done <- syscall.Close(fds[1])
	}()
	for k := range 1000 {
		if _, err := syscall.Write(fds[0], make([]byte, k%50+1)); err != nil {
			return err
		}
	}
	if err := syscall.Shutdown(fds[0], syscall.SHUT_WR); err != nil {
		return err
	}
	if err := <-done; err != nil {
		return err
	}
	return syscall.Close(fds[0])
}

func socketByPath() error {
	const path = "/tmp/exercise.socket"
	address := &syscall.SockaddrUnix{Name: path}
	server, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := syscall.Bind(server, address); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s: %v %v", path, info, err)
	}
	if err := syscall.Bind(server, address); err != syscall.EADDRINUSE {
		return fmt.Errorf("binding to a path that exists: %v", err)
	}
	client, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := syscall.Connect(client, address); err != syscall.ECONNREFUSED {
		return fmt.Errorf("connecting to who does not listen: %v", err)
	}
	if err := syscall.Listen(server, 1); err != nil {
		return err
	}
	accepted := make(chan int, 1)
	go func() {
		fd, _, err := syscall.Accept(server)
		if err != nil {
			fd = -1
		}
		accepted <- fd
	}()
	if err := syscall.Connect(client, address); err != nil {
		return err
	}
	peer := <-accepted
	if c, err := syscall.GetsockoptUcred(peer, syscall.SOL_SOCKET, syscall.SO_PEERCRED); err != nil || int(c.Pid) != os.Getpid() {
		return fmt.Errorf("credentials of a peer: %v %v", c, err)
	}
	for _, fd := range []int{client, peer, server} {
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
	if client, err = syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0); err != nil {
		return err
	}
	defer syscall.Close(client)
	if err := syscall.Connect(client, address); err != syscall.ECONNREFUSED {
		return fmt.Errorf("connecting to who has closed: %v", err)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	if err := syscall.Connect(client, address); err != syscall.ENOENT {
		return fmt.Errorf("connecting to a removed path: %v", err)
	}
	return nil
}

// passedFile sends an end of a pipe, closes it, and reads from what arrived.
func passedFile() error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := syscall.Sendmsg(fds[0], []byte("take"), syscall.UnixRights(int(r.Fd())), nil, 0); err != nil {
		return err
	}
	r.Close()
	if _, err := w.WriteString("through"); err != nil {
		return fmt.Errorf("the pipe's reader is on its way: %v", err)
	}
	w.Close()
	control := make([]byte, 64)
	_, n, _, _, err := syscall.Recvmsg(fds[1], make([]byte, 10), control, 0)
	if err != nil {
		return err
	}
	messages, err := syscall.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("%d control messages: %v", len(messages), err)
	}
	got, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(got) != 1 {
		return fmt.Errorf("descriptors %v: %v", got, err)
	}
	f := os.NewFile(uintptr(got[0]), "passed")
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "through" {
		return fmt.Errorf("the passed pipe has %q: %v", text, err)
	}
	return nil
}
