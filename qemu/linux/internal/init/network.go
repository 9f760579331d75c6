package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// card is what the kernel calls the first network card.
const card = "eth0"

// network loads the modules that a network card needs, if there are any, and brings the
// card up. It returns the boot parameters that the machine has of its rack: the words of the
// kernel's command line that begin with a question mark.
func network() (words []string, err error) {
	modules, err := filepath.Glob("/modules/*.ko") // in the order of their names
	if err != nil || len(modules) == 0 {
		return nil, err
	}
	for _, m := range modules {
		if err := load(m); err != nil {
			return nil, err
		}
	}
	if err := await(filepath.Join("/sys/class/net", card)); err != nil {
		return nil, err
	}
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return nil, err
	}
	for _, w := range strings.Fields(string(line)) {
		if strings.HasPrefix(w, "?") {
			words = append(words, w)
		}
	}
	return words, up(card)
}

// load loads a module, and not again if it is there.
func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return &os.PathError{Op: "load", Path: path, Err: err}
	}
	return nil
}

// await waits for a file: drivers look for devices in their own time.
func await(path string) error {
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		_, err := os.Stat(path)
		if err == nil || time.Since(start) > 30*time.Second {
			return err
		}
	}
}

// up brings a network interface up.
func up(name string) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req)
}
