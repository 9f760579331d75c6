// Command init is the first process of the Linux guest: it mounts what a program
// expects, runs /program as /command.json says, and ends the machine with its exit
// code.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	code, err := run()
	if err != nil {
		fmt.Println("init:", err)
	}
	exit(code)
}

func run() (int, error) {
	for _, m := range []struct{ kind, at string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"}, {"tmpfs", "/root"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return 125, err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return 125, fmt.Errorf("mounting %s: %w", m.at, err)
		}
	}
	os.Chmod("/tmp", 0o777|os.ModeSticky)
	if err := up("lo"); err != nil {
		return 125, fmt.Errorf("loopback: %w", err)
	}
	if err := writeFiles(); err != nil {
		return 125, err
	}
	b, err := os.ReadFile("/command.json")
	if err != nil {
		return 125, err
	}
	var c struct {
		Args, Env []string
		Dir       string
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return 125, err
	}
	given, err := network()
	if err != nil {
		return 125, fmt.Errorf("network: %w", err)
	}
	cmd := exec.Command("/program", append(given, c.Args...)...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode() & 0x7f, nil
	}
	return 0, err
}

// writeFiles writes what programs look for in /etc, as an image has it.
func writeFiles() error {
	if err := os.MkdirAll("/etc", 0o755); err != nil {
		return err
	}
	for _, f := range []struct{ name, content string }{
		{"group", "root:x:0:\nnogroup:x:65534:\n"},
		{"hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n"},
		{"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"},
		{"passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"},
		{"protocols", "icmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\n"},
		{"resolv.conf", ""},
		{"services", "domain\t53/tcp\ndomain\t53/udp\nhttp\t80/tcp\nhttps\t443/tcp\n"},
	} {
		if err := os.WriteFile("/etc/"+f.name, []byte(f.content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// debugExit is the emulator's isa-debug-exit device.
const debugExit = 0xf4

// outb writes to an input/output port, which ioperm(2) must have allowed to the
// calling thread.
func outb(port uint16, value byte)

// exit ends the emulator with a code.
func exit(code int) {
	runtime.LockOSThread()
	if _, _, e := syscall.Syscall(syscall.SYS_IOPERM, debugExit, 1, 1); e != 0 {
		fmt.Println("init: ioperm:", e)
		unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	outb(debugExit, byte(code))
}
