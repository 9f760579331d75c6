package main

import (
	"os"
	"syscall"
	"time"
)

// syscalls makes the least system call.
func syscalls() []figure {
	return perOperation(repeat(func() { syscall.RawSyscall(syscall.SYS_GETPID, 0, 0, 0) }))
}

var now time.Time // so that it is read

func timeNow() []figure {
	return perOperation(repeat(func() { now = time.Now() }))
}

const pageSize = 4096

func mmap(size int) []byte {
	b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	return b
}

func munmap(b []byte) {
	if err := syscall.Munmap(b); err != nil {
		panic(err)
	}
}

// pageFault touches pages for the first time.
func pageFault() []figure {
	const pages = 1024
	b := mmap(pages * pageSize)
	defer munmap(b)
	// Small pages are wanted here. A kernel without large ones refuses.
	const noHugePage = 15
	syscall.Madvise(b, noHugePage)
	var least time.Duration
	for range batches {
		if err := syscall.Madvise(b, syscall.MADV_DONTNEED); err != nil {
			panic(err)
		}
		start := time.Now()
		for at := 0; at < len(b); at += pageSize {
			b[at] = 1
		}
		if took := time.Since(start); least == 0 || took < least {
			least = took
		}
	}
	return []figure{{float64(least.Nanoseconds()) / pages, "ns/op"}}
}

// mmapMunmap maps 64 KiB and gives them back untouched.
func mmapMunmap() []figure {
	return perOperation(repeat(func() { munmap(mmap(16 * pageSize)) }))
}

// pipeRoundTrip sends a byte to another goroutine and gets it back.
func pipeRoundTrip() []figure {
	r1, w1, err1 := os.Pipe()
	r2, w2, err2 := os.Pipe()
	if err1 != nil || err2 != nil {
		panic("no pipe")
	}
	defer w1.Close()
	defer r2.Close()
	go func() {
		defer w2.Close()
		defer r1.Close()
		b := make([]byte, 1)
		for {
			if _, err := r1.Read(b); err != nil {
				return
			}
			if _, err := w2.Write(b); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 1)
	return perOperation(repeat(func() {
		if _, err := w1.Write(b); err != nil {
			panic(err)
		}
		if _, err := r2.Read(b); err != nil {
			panic(err)
		}
	}))
}
