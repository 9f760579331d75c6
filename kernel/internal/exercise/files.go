package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"
)

// files reads the boot archive: args[0] is a file with the content args[1].
func files(args []string) error {
	if len(args) == 2 {
		got, err := os.ReadFile(args[0])
		if err != nil || string(got) != args[1] {
			return fmt.Errorf("%s has %q (%v), want %q", args[0], got, err, args[1])
		}
		info, err := os.Stat(args[0])
		if err != nil || info.Size() != int64(len(args[1])) || !info.Mode().IsRegular() {
			return fmt.Errorf("stat of %s: %v %v", args[0], info, err)
		}
		if err := os.WriteFile(args[0], []byte("changed"), 0o666); err != nil {
			return err
		}
		if got, err := os.ReadFile(args[0]); err != nil || string(got) != "changed" {
			return fmt.Errorf("%s has %q (%v) after it was written", args[0], got, err)
		}
		entries, err := os.ReadDir("/")
		if err != nil || len(entries) == 0 {
			return fmt.Errorf("the root has %d entries: %v", len(entries), err)
		}
	}
	if _, err := os.ReadFile("/no/such/file"); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("a file that is not there: %v", err)
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	if n, err := null.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return fmt.Errorf("reading /dev/null: %d, %v", n, err)
	}
	if n, err := null.Write(make([]byte, 10000)); n != 10000 || err != nil {
		return fmt.Errorf("writing /dev/null: %d, %v", n, err)
	}
	random, err := os.Open("/dev/urandom")
	if err != nil {
		return err
	}
	defer random.Close()
	buf := make([]byte, 10000)
	if _, err := io.ReadFull(random, buf); err != nil || bytes.Equal(buf[:5000], buf[5000:]) {
		return fmt.Errorf("/dev/urandom: %v", err)
	}
	return nil
}

// pipes moves bytes through pipes, which uses the runtime's poller, checks
// them, and lets a read time out.
func pipes([]string) error {
	const n, size = 8, 300_000
	var wg sync.WaitGroup
	errs := make(chan error, 2*n)
	for i := range n {
		r, w, err := os.Pipe()
		if err != nil {
			return err
		}
		want := make([]byte, size)
		for k := range want {
			want[k] = byte(k * (2*i + 1) >> 3)
		}
		wg.Add(2)
		go func() {
			defer wg.Done()
			defer w.Close()
			for rest := want; len(rest) > 0; {
				k := min(len(rest), 1+len(rest)%7000)
				if _, err := w.Write(rest[:k]); err != nil {
					errs <- err
					return
				}
				rest = rest[k:]
			}
		}()
		go func() {
			defer wg.Done()
			defer r.Close()
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, want) {
				errs <- fmt.Errorf("%d bytes of %d came through, or other ones: %v", len(got), len(want), err)
			}
		}()
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}

	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer w.Close()
	r.SetReadDeadline(time.Now().Add(5 * time.Millisecond))
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a read with a deadline: %v", err)
	}
	r.Close()
	if _, err := w.Write([]byte{1}); err == nil {
		return errors.New("a pipe without a reader could be written")
	}
	return nil
}

// memory allocates, frees and gives back memory to the machine, and checks that
// what comes back is zeroed and what stays is intact.
func memory([]string) error {
	const size = 8 << 20
	keep := make([]byte, size)
	for i := range keep {
		keep[i] = byte(i >> 8)
	}
	for round := range 6 {
		b := make([]byte, size)
		for i, v := range b {
			if v != 0 {
				return fmt.Errorf("round %d: fresh memory has %#x at %d", round, v, i)
			}
		}
		for i := range b {
			b[i] = 0xA5
		}
		runtime.KeepAlive(b)
		b = nil
		debug.FreeOSMemory()
	}
	for i := range keep {
		if keep[i] != byte(i>>8) {
			return fmt.Errorf("memory in use has changed at %d", i)
		}
	}
	return nil
}
