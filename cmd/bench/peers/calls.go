package main

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// callPeers answer calls with the bytes that they were given.
var callPeers = []peer{
	{"grpc-tcp", func(d string) error { return serveGRPC("tcp", d) }, func(d string) error { return measureGRPC("tcp", d) }},
	{"grpc-unix", func(d string) error { return serveGRPC("unix", d) }, func(d string) error { return measureGRPC("unix", d) }},
	{"netrpc-tcp", func(d string) error { return serveRPC("tcp", d) }, func(d string) error { return measureRPC("tcp", d) }},
	{"netrpc-unix", func(d string) error { return serveRPC("unix", d) }, func(d string) error { return measureRPC("unix", d) }},
	{"tcp", func(d string) error { return serveAll("tcp", d, echo) }, measureTCP},
}

const (
	warmUp   = 500
	times    = 4_000
	loadTime = 500 * time.Millisecond
)

var (
	callSizes   = []int{8, 1 << 10, 64 << 10}
	callerCount = []int{1, 8, 64}
)

// measureCalls prints what calls of a peer take. call may be called by many goroutines.
func measureCalls(name string, call func(arg []byte) (answer []byte, err error)) error {
	for _, size := range callSizes {
		once := func(arg []byte) error {
			answer, err := call(arg)
			if err == nil && len(answer) != size {
				err = fmt.Errorf("%d bytes of %d came back", len(answer), size)
			}
			return err
		}
		if err := measureCall(name, size, once); err != nil {
			return err
		}
	}
	for _, n := range callerCount {
		if err := measureLoad(name, n, func() error { _, err := call(make([]byte, 8)); return err }); err != nil {
			return err
		}
	}
	return nil
}

// measureCall prints what one call after the other takes.
func measureCall(name string, size int, call func(arg []byte) error) error {
	arg, took := make([]byte, size), make([]time.Duration, 0, times)
	for i := range warmUp + times {
		start := time.Now()
		if err := call(arg); err != nil {
			return err
		}
		if i >= warmUp {
			took = append(took, time.Since(start))
		}
	}
	row(fmt.Sprintf("PeerCall/peer=%s/bytes=%d", name, size), times, quantiles(took)...)
	return nil
}

// measureLoad prints how many calls n goroutines make in a second.
func measureLoad(name string, n int, call func() error) error {
	var (
		wait   sync.WaitGroup
		over   atomic.Bool
		total  atomic.Int64
		mu     sync.Mutex
		failed error
	)
	start := time.Now()
	for range n {
		wait.Go(func() {
			var err error
			made := int64(0)
			for !over.Load() && err == nil {
				err = call()
				made++
			}
			total.Add(made)
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	time.Sleep(loadTime)
	over.Store(true)
	wait.Wait()
	row(fmt.Sprintf("PeerCalls/peer=%s/callers=%d", name, n), 1, figure{float64(total.Load()) / time.Since(start).Seconds(), "calls/s"})
	return failed
}

// measureTCP is the least that the kernel's TCP can do: blocking reads and writes of the
// same few bytes.
func measureTCP(folder string) error {
	conn, err := dial("tcp", folder)
	if err != nil {
		return err
	}
	defer conn.Close()
	return measureCall("tcp", 8, func(arg []byte) error {
		if _, err := conn.Write(arg); err != nil {
			return err
		}
		_, err := conn.Read(arg)
		return err
	})
}

func echo(conn net.Conn) error {
	b := make([]byte, 64)
	for {
		n, err := conn.Read(b)
		if err != nil {
			return err
		}
		if _, err := conn.Write(b[:n]); err != nil {
			return err
		}
	}
}
