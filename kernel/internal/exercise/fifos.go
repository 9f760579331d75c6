package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// fifos opens a named pipe in all the ways there are, and moves bytes through it.
func fifos([]string) error {
	dir, err := os.MkdirTemp("", "fifos")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		return fmt.Errorf("mkfifo: %w", err)
	}
	if _, err := syscall.Open(name, syscall.O_WRONLY|syscall.O_NONBLOCK, 0); err != syscall.ENXIO {
		return fmt.Errorf("open for writing without a reader: %v, want %v", err, syscall.ENXIO)
	}

	// A reader without a writer sees the end at once, and one writer more
	// than there are readers keeps it from being the end.
	r, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	var buf [8]byte
	if n, err := syscall.Read(r, buf[:]); n != 0 || err != nil {
		return fmt.Errorf("read without a writer: %d, %v", n, err)
	}
	var writers [2]int
	for i := range writers {
		if writers[i], err = syscall.Open(name, syscall.O_WRONLY, 0); err != nil {
			return err
		}
	}
	if _, err := syscall.Read(r, buf[:]); err != syscall.EAGAIN {
		return fmt.Errorf("read of nothing: %v, want %v", err, syscall.EAGAIN)
	}
	syscall.Write(writers[0], []byte("abc"))
	syscall.Close(writers[0])
	if n, err := syscall.Read(r, buf[:]); string(buf[:max(n, 0)]) != "abc" || err != nil {
		return fmt.Errorf("read %q, %v", buf[:max(n, 0)], err)
	}
	if _, err := syscall.Read(r, buf[:]); err != syscall.EAGAIN {
		return fmt.Errorf("read with one writer left: %v, want %v", err, syscall.EAGAIN)
	}
	syscall.Close(writers[1])
	if n, err := syscall.Read(r, buf[:]); n != 0 || err != nil {
		return fmt.Errorf("read after the last writer: %d, %v", n, err)
	}
	syscall.Close(r)

	// Each side waits for the other. The writer may be gone before the reader
	// gets to run.
	for round := range 20 {
		want := bytes.Repeat([]byte{byte(round)}, 10_000*round+1)
		wrote := make(chan error)
		go func() { wrote <- os.WriteFile(name, want, 0) }()
		got, err := os.ReadFile(name)
		if err := errors.Join(err, <-wrote); err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("round %d: %d bytes came through of %d, or others: %v", round, len(got), len(want), err)
		}
	}
	return pipeEnds()
}

// pipeEnds fills a pipe, wraps around in it, and looks at its descriptors.
func pipeEnds() error {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		return err
	}
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer r.Close()
	defer w.Close()
	const size = 64 << 10
	data := make([]byte, 100_000)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	sent, got := 0, []byte{}
	for shift := range 40 {
		n, err := syscall.Write(fds[1], data[sent:])
		if shift == 0 && n != size {
			return fmt.Errorf("an empty pipe took %d bytes (%v), want %d", n, err, size)
		}
		if n > 0 {
			sent += n
		}
		piece := make([]byte, 3001)
		if n, err = syscall.Read(fds[0], piece); n > 0 {
			got = append(got, piece[:n]...)
		} else if err != syscall.EAGAIN {
			return fmt.Errorf("read: %d, %v", n, err)
		}
	}
	if len(got) != len(data) || !bytes.Equal(got, data) {
		return fmt.Errorf("%d bytes came through of %d, or others", len(got), len(data))
	}

	for _, fd := range fds {
		if f, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); f != syscall.FD_CLOEXEC {
			return fmt.Errorf("flags of a descriptor: %#x, want FD_CLOEXEC", f)
		}
	}
	if n, _, err := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fds[0]), 1032, 0); n != size { // F_GETPIPE_SZ
		return fmt.Errorf("F_GETPIPE_SZ: %d (%v), want %d", n, err, size)
	}
	copied, err := syscall.Dup(fds[0])
	if err != nil {
		return err
	}
	if f, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(copied), syscall.F_GETFD, 0); f != 0 {
		return fmt.Errorf("flags of a descriptor after dup: %#x, want 0", f)
	}
	if err := syscall.Dup3(copied, copied, 0); err != syscall.EINVAL {
		return fmt.Errorf("dup3 to itself: %v, want %v", err, syscall.EINVAL)
	}
	const closeRange = 436
	if _, _, err := syscall.Syscall(closeRange, uintptr(copied), uintptr(copied), 0); err != 0 {
		return fmt.Errorf("close_range: %v", err)
	}
	if err := syscall.Close(copied); err != syscall.EBADF {
		return fmt.Errorf("close after close_range: %v, want %v", err, syscall.EBADF)
	}
	var here, there syscall.Stat_t
	if err := errors.Join(syscall.Fstat(fds[0], &here), syscall.Fstat(fds[1], &there)); err != nil {
		return err
	}
	if here.Mode&syscall.S_IFMT != syscall.S_IFIFO || here.Ino != there.Ino {
		return fmt.Errorf("the ends of a pipe: mode %o, inodes %d and %d", here.Mode, here.Ino, there.Ino)
	}
	w.Close()
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return fmt.Errorf("read at the end: %d, %v", n, err)
	}
	return nil
}
