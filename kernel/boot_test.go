package kernel_test

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"nuos/boot"
	"nuos/boot/image"
)

// The kernel is tested by booting kernel/internal/exercise in QEMU with one
// argument for each thing to try.

var exercise struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if exercise.path != "" {
		os.RemoveAll(filepath.Dir(exercise.path))
	}
	os.Exit(status)
}

// buildExercise builds the image once for all tests.
func buildExercise(t *testing.T) string {
	t.Helper()
	exercise.once.Do(func() {
		dir, err := os.MkdirTemp("", "nuos-kernel-test-")
		if err != nil {
			exercise.err = err
			return
		}
		exercise.path = filepath.Join(dir, "exercise.elf")
		files := filepath.Join(dir, "files")
		if exercise.err = os.MkdirAll(filepath.Join(files, "etc"), 0o777); exercise.err != nil {
			return
		}
		if exercise.err = os.WriteFile(filepath.Join(files, "etc", "motd"), []byte("welcome"), 0o666); exercise.err != nil {
			return
		}
		if exercise.err = os.WriteFile(filepath.Join(files, "etc", "random-seed"), []byte(strings.Repeat("seed", 8)), 0o600); exercise.err != nil {
			return
		}
		_, exercise.err = image.Build(context.Background(), image.Options{
			Package: "nuos/kernel/internal/exercise",
			Output:  exercise.path,
			Archive: files,
		})
	})
	if exercise.err != nil {
		t.Fatal(exercise.err)
	}
	return exercise.path
}

// guest is a machine to boot. Zero fields have defaults.
type guest struct {
	machine, cpu string
	accel        string
	processors   int
	memory       int // MiB
	line         string
	archive      bool
	image        string   // default: exercise
	extra        []string // of the emulator's command line
}

// run boots the image and returns what it printed and its exit code.
func (g guest) run(t *testing.T) (console string, code uint8) {
	t.Helper()
	// The limit is for a machine that hangs; a loaded host is slow.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "qemu-system-x86_64", g.arguments(t)...).CombinedOutput()
	console = strings.ReplaceAll(string(out), "\r", "")
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("QEMU: %v", err)
	}
	status := 0
	if exit != nil {
		status = exit.ExitCode()
	}
	code, ok := boot.FromQEMU(status)
	if !ok {
		t.Fatalf("the machine did not exit by itself (QEMU status %d, %v); console:\n%s", status, ctx.Err(), console)
	}
	return console, code
}

// arguments is the emulator's command line.
func (g guest) arguments(t *testing.T) []string {
	t.Helper()
	path := g.image
	if path == "" {
		path = buildExercise(t)
	}
	args := []string{
		"-accel", cmp.Or(g.accel, "tcg,thread=multi"), "-M", cmp.Or(g.machine, "q35"), "-cpu", cmp.Or(g.cpu, "max"),
		"-smp", strconv.Itoa(cmp.Or(g.processors, 1)), "-m", strconv.Itoa(cmp.Or(g.memory, 128)),
		"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", path, "-append", g.line,
	}
	if g.archive {
		args = append(args, "-initrd", path+".cpio")
	}
	return append(args, g.extra...)
}

// TestExercises runs what must succeed, on the machines and processors that
// are to work.
func TestExercises(t *testing.T) {
	for _, test := range []struct {
		name string
		guest
		do string
	}{
		{"one processor", guest{}, "processors,1 rate,the_HPET,pmtimer random,safe faults preempt timers pipes fifos proc sockets threads memory mappings protect audit calls clock accounts stress,10 clocksource,tsc"},
		{"two processors", guest{cpu: "Haswell", processors: 2}, "processors,2 faults sigframes sigguards preempt handoff profile large idle,500 stress,10"},
		{"four processors", guest{cpu: "EPYC", processors: 4}, "processors,4 protect audit coherence,60 collapse preempt threads pipes fifos sockets memory mappings accounts manythreads stress,5"},
		{"eight processors", guest{machine: "pc,hpet=off", processors: 8}, "processors,8 rate,the_ACPI_timer,pit pipes stress,1 clocksource,tsc"},
		{"more processors than there is room for", guest{processors: 66}, "processors,64"},
		{"default processor model", guest{machine: "pc", cpu: "qemu64", processors: 2}, "random,guessable faults sigframes protect audit preempt pipes stress,5"},
		{"microvm", guest{machine: "microvm", processors: 2}, "rate,the_interval_timer timers stress,5"},
		{"microvm default model", guest{machine: "microvm", cpu: "qemu64,+xsave", line: "random-seed=" + strings.Repeat("5eed", 16)}, "random,safe calls stress,5"},
		{"no FSGSBASE", guest{machine: "microvm,pcie=on,ioapic2=off", cpu: "Nehalem", processors: 2, extra: []string{"-device", "virtio-rng-pci"}}, "random,safe faults preempt"},
		{"boot archive", guest{machine: "microvm,pit=off,pic=off,rtc=off", cpu: "qemu64", archive: true}, "random,safe rate,the_emulator's_APIC mappings files,/etc/motd,welcome"},
		{"no archive", guest{}, "files"},
		{"collector checks itself", guest{processors: 2, line: "GOGC=5 GODEBUG=gccheckmark=1,clobberfree=1"}, "stress,8 faults"},
		{"clock by the HPET", guest{cpu: "qemu64", processors: 4, line: "clock=counter"}, "clocksource,hpet rate,the_HPET,pmtimer timers preempt"},
		{"clock by the ACPI timer", guest{machine: "pc,hpet=off", processors: 2, line: "clock=counter"}, "clocksource,acpi_pm,6s"}, // a round of the counter is shorter
		{"polling when idle", guest{processors: 2, line: "idle=poll"}, "handoff pipes"},
		{"halting when idle", guest{processors: 2, line: "idle=halt"}, "handoff pipes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.line += " -- " + test.do
			console, code := test.run(t)
			if code != 0 || !strings.HasSuffix(console, "\ndone\n") {
				t.Errorf("exit code %d, console:\n%s", code, console)
			}
			t.Log(console)
		})
	}
}

// TestEndings runs what must end the machine, and how.
func TestEndings(t *testing.T) {
	for _, test := range []struct {
		name string
		guest
		code    uint8
		console string // a regular expression for what must be printed
	}{
		{"exit status", guest{line: "-- exit,7"}, 7, `^nuos: booted by PVH[^\n]*\n$`},
		{"large exit status", guest{line: "-- exit,200"}, boot.MaxStatus, `^nuos: booted by PVH[^\n]*\n$`},
		{"panic", guest{processors: 2, line: "-- panic"}, 2, `(?s)panic: as told.*exercise/main\.go:\d+`},
		{"long panic", guest{line: "-- panic,5000"}, 2, `(?s)panic: x{1000}.*x as told`},
		{"wild pointer", guest{line: "-- wild"}, 2,
			`(?s)unexpected fault address 0x123456789000.*SIGSEGV.*main\.wild.*exercise/faults\.go:\d+`},
		{"kernel stack's guard page", guest{line: "-- overflow"}, boot.ExitPanic,
			`(?s)nuos: kernel panic: stack overflow in the kernel\nvector 14 .*main\.greedyHandler\+`},
		{"signal stack's guard page", guest{processors: 2, line: "-- sigoverflow"}, boot.MaxStatus,
			`(?s)nuos: overflow of a signal stack\nnuos: memory fault ends the program, address 0x[^\n]*\n[^\n]*main\.pushForever\+`},
		{"signal stack that is not mapped", guest{line: "-- sigframes,ends"}, boot.MaxStatus,
			`(?s)nuos: the frame of a signal has no place on the stack\nnuos: memory fault ends the program.*main\.killSelf\+`},
		{"signal stack that is full", guest{line: "-- sigframes,nested"}, boot.MaxStatus,
			`(?s)nuos: the frame of a signal has no place on the stack\nnuos: memory fault ends the program.*main\.breakpointAt\+`},
		{"unknown parameter", guest{line: "colour=blue -- exit,0"}, 0, `unknown boot parameter "colour`},
		{"memory exhausted", guest{memory: 64, processors: 2, line: "-- exhaust"}, boot.MaxStatus,
			`(?s)nuos: out of memory: of \d{5} KiB, \d+ are free; the others have\n +\d{5} KiB  the program: Go: heap\n.* KiB  the kernel\n` +
				`.*the largest files have\n +2\d{3} KiB  /tmp/ballast\n.*thread \d+ needs more:\n.*main\.exhaust\+`},
		{"memory exhausted by a call", guest{memory: 64, line: "-- exhaust,call"}, boot.MaxStatus, `(?s)nuos: out of memory: .*needs more:.*syscall\.`},
		{"memory exhausted by a file", guest{memory: 64, line: "-- exhaust,file"}, boot.MaxStatus,
			`(?s)nuos: out of memory: .*others have\n +\d{5} KiB  files\n.*the largest files have\n +\d{5} KiB  /tmp/mapped\n`},
		{"more memory than there is", guest{memory: 64, line: "-- exhaust,huge"}, 2, `fatal error: runtime: out of memory`},
		{"too little memory", guest{memory: 12, line: "-- exit,0"}, boot.ExitRefused, `^nuos: the machine has less memory than the image needs: \d{5} KiB of \d{5} KiB\n$`},
		{"less memory than zeroed data", guest{memory: 8, line: "-- exit,0"}, boot.ExitRefused, `^nuos: the machine has less memory than the image needs: 7\d{3} KiB of \d{5} KiB\n$`},
		{"less memory than the image's file", guest{machine: "microvm", memory: 6, line: "-- exit,0"}, boot.ExitRefused, `^nuos: the machine has less memory than the image needs: 5\d{3} KiB\n$`},
	} {
		t.Run(test.name, func(t *testing.T) {
			console, code := test.run(t)
			if !regexp.MustCompile(test.console).MatchString(console) || code != test.code {
				t.Errorf("exit code %d, want %d; console, wanted %q:\n%s", code, test.code, test.console, console)
			}
		})
	}
}
