package kernel_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nuos/boot"
)

// TestReports has handlers of the kernel go wrong in each way there is, and wants to
// read on the console what it was, where, and what the processors were at.
func TestReports(t *testing.T) {
	for _, test := range []struct {
		name string
		guest
		console string // a regular expression for what must be printed
	}{
		{"pointer", guest{processors: 2},
			`(?s)kernel panic: page fault\nvector 14 code 0x2 address 0x0\nprocessor \d, in the kernel for thread \d+:` +
				`\n  ip 0x[0-9a-f]+  sp .*\n.*main\.init\.func\d.*handleSyscall.*came from:.*main\.broken\+.*processor \d` +
				`.*\nlast events of processor 0, [^\n]*\n  \d+\.\d \w.*\nlast events of processor 1, [^\n]*\n  \d+\.\d \w`},
		{"index", guest{cpu: "qemu64"}, `(?s)kernel panic: index out of range in the kernel\n.*main\.indexed\[go\.shape\.uint8\]\+`},
		{"slice", guest{machine: "microvm"}, `(?s)kernel panic: index out of range in the kernel\n.*main\.init\.func`},
		{"divide", guest{machine: "microvm"}, `(?s)kernel panic: division by zero in the kernel\n.*main\.init\.func`},
		{"endless", guest{machine: "microvm"},
			`(?s)kernel panic: stack overflow in the kernel\n.*main\.endless\+.*and \d+ times more\n.*handleSyscall`},
		{"push", guest{machine: "microvm"},
			`(?s)kernel panic: stack overflow in the kernel\nvector 14 code 0x2 .*main\.pushForever\+.*handleSyscall`},
		{"twice", guest{machine: "microvm"}, `(?s)kernel panic: double fault\nvector 8 .*main\.faultTwice\+.*handleSyscall`},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.line = "-- broken," + test.name
			console, code := test.run(t)
			if !regexp.MustCompile(test.console).MatchString(console) || code != boot.ExitPanic {
				t.Errorf("exit code %d, want %d; console, wanted %q:\n%s", code, boot.ExitPanic, test.console, console)
			}
		})
	}
}

// step is something to do to a running machine.
type step struct {
	after   string // a regular expression for what the console has printed
	command string // of QEMU's monitor
}

// TestInterrupted sends machines the interrupts that nothing masks.
func TestInterrupted(t *testing.T) {
	const shown = `(?s:non-maskable interrupt\nprocessor 0.*going on\n)`
	for _, test := range []struct {
		name string
		guest
		steps   []step
		status  int // of QEMU
		console string
	}{
		// A processor that spins with interrupts off and the kernel's lock.
		{"stuck", guest{processors: 2, line: "-- broken,spin"}, []step{{`breaking\n!`, "nmi"}, {shown, "quit"}}, 0,
			`(?s)processor \d, in the kernel for thread \d+:\n.*main\.spinForever\+.*came from:.*main\.broken\+`},
		// A program that minds nothing, on processors with and without XSAVE.
		{"busy", guest{processors: 4, line: "-- stress,2 busy"},
			[]step{{`booted`, "nmi"}, {shown, "nmi"}, {shown + `(?s:.*)` + shown, "nmi"}}, 1, `\ndone\n$`},
		{"busy", guest{machine: "pc", cpu: "qemu64", processors: 2, line: "-- busy"},
			[]step{{`booted`, "nmi"}, {shown, "nmi"}, {shown + `(?s:.*)` + shown, "nmi"}}, 1, `\ndone\n$`},
		// An uncorrected error (SDM vol. 3, 16.3.2.2) in bank 2 of processor 1.
		{"machine check", guest{processors: 2, line: "-- broken,spin"},
			[]step{{`breaking\n!`, "mce 1 2 0xbd00000000000000 0x4 0x1234 0x8c"}}, boot.ExitPanic<<1 | 1,
			`(?s)kernel panic: machine check\n.*bank 2 status 0xbd00000000000000 address 0x1234 miscellaneous 0x8c\nprocessor 1.*processor 0`},
	} {
		t.Run(test.name, func(t *testing.T) {
			console, status := test.disturb(t, test.steps)
			if !regexp.MustCompile(test.console).MatchString(console) || status != test.status {
				t.Errorf("QEMU's status %d, want %d; console, wanted %q:\n%s", status, test.status, test.console, console)
			}
		})
	}
}

// disturb boots a machine, gives commands to its monitor as the console gets to where
// they are due, and returns what was printed and QEMU's exit status.
func (g guest) disturb(t *testing.T, steps []step) (console string, status int) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "monitor")
	g.extra = append(g.extra, "-monitor", "unix:"+socket+",server=on,wait=off")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", g.arguments(t)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	var monitor net.Conn
	piece := make([]byte, 4096)
	for err == nil {
		var n int
		n, err = out.Read(piece)
		text.WriteString(strings.ReplaceAll(string(piece[:n]), "\r", ""))
		for len(steps) > 0 && regexp.MustCompile(steps[0].after).MatchString(text.String()) {
			if monitor == nil {
				if monitor, err = net.Dial("unix", socket); err != nil {
					t.Fatal(err)
				}
				defer monitor.Close()
				go io.Copy(io.Discard, monitor) // what it answers
			}
			fmt.Fprintln(monitor, steps[0].command)
			steps = steps[1:]
		}
	}
	cmd.Wait()
	if ctx.Err() != nil || len(steps) > 0 {
		t.Fatalf("%d steps of the test were not reached, %v; console:\n%s", len(steps), ctx.Err(), text.String())
	}
	return text.String(), cmd.ProcessState.ExitCode()
}
