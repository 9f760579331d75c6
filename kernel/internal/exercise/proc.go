package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/user"
	"strings"
	"syscall"
)

// proc reads what the kernel tells of itself and of the process.
func proc([]string) error {
	for name, want := range map[string]string{
		"/proc/self/maps":   "r-xp",
		"/proc/self/status": "\nUid:\t0\t0\t0\t0\n",
		fmt.Sprintf("/proc/self/task/%d/stat", os.Getpid()): fmt.Sprintf("%d (", os.Getpid()),
		"/proc/self/limits":               "Max open files",
		"/proc/self/mountinfo":            " / / ",
		"/proc/self/cmdline":              "proc\x00",
		"/proc/meminfo":                   "MemTotal:",
		"/proc/cpuinfo":                   "processor\t: 0\n",
		"/proc/stat":                      "cpu  ",
		"/proc/version":                   "Linux version ",
		"/proc/sys/kernel/random/boot_id": "-4",
		"/sys/devices/system/cpu/online":  "0",
		"/etc/passwd":                     "root:x:0:0:",
		"/etc/hosts":                      "localhost",
	} {
		if got, err := os.ReadFile(name); err != nil || !strings.Contains(string(got), want) {
			return fmt.Errorf("%s is %q (%v), without %q", name, got, err, want)
		}
	}
	if err := os.WriteFile("/proc/version", []byte("x"), 0); err == nil {
		return fmt.Errorf("/proc/version could be written")
	}
	if u, err := user.Current(); err != nil || u.Username != "root" || u.HomeDir != "/root" {
		return fmt.Errorf("user.Current: %+v, %v", u, err)
	}
	if err := liveLinks(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if info, err := buildinfo.ReadFile(self); err != nil || !strings.HasPrefix(info.GoVersion, "go1.") {
		return fmt.Errorf("build information of %s: %v, %v", self, info, err)
	}
	return nil
}

// liveLinks follows the links that descriptors have below /proc/self/fd.
func liveLinks() error {
	f, err := os.CreateTemp("", "live")
	if err != nil {
		return err
	}
	defer f.Close()
	want := []byte("by another name")
	if _, err := f.Write(want); err != nil {
		return err
	}
	link := fmt.Sprintf("/dev/fd/%d", f.Fd())
	if target, err := os.Readlink(link); target != f.Name() || err != nil {
		return fmt.Errorf("%s leads to %q (%v), want %s", link, target, err, f.Name())
	}
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	if got, err := os.ReadFile(link); err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("%s after its file was removed: %q, %v", link, got, err)
	}
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		return err
	}
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	link = fmt.Sprintf("/proc/self/fd/%d", fds[1])
	if target, err := os.Readlink(link); !strings.HasPrefix(target, "pipe:[") || err != nil {
		return fmt.Errorf("the link of a pipe leads to %q (%v)", target, err)
	}
	if err := os.WriteFile(link, want, 0); err != nil {
		return fmt.Errorf("writing to a pipe by its link: %w", err)
	}
	got := make([]byte, 64)
	if n, err := syscall.Read(fds[0], got); n != len(want) || err != nil {
		return fmt.Errorf("%d bytes came through, want %d: %v", n, len(want), err)
	}
	if err := syscall.Close(fds[1]); err != nil {
		return err
	}
	fds[1] = -1
	if _, err := os.Lstat(link); !os.IsNotExist(err) {
		return fmt.Errorf("the link of a closed descriptor: %v", err)
	}
	return nil
}
