package qemu

import (
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"nuos/boot"
	"nuos/boot/image"
	"nuos/qemu/inspect"
)

// TestKernelPanicCore has a kernel panic, and finds in the core what happened.
func TestKernelPanicCore(t *testing.T) {
	built, err := image.Build(t.Context(), image.Options{
		Package: "nuos/kernel/internal/exercise", Output: filepath.Join(t.TempDir(), "exercise.elf"), Symbols: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := startRack(t, Options{Image: built.Path, CPUs: 2, Accel: "tcg", Params: []string{"--", "broken,pointer"}})
	m := r.Machine(0)
	code, err := m.Wait(deadline(t))
	if code != boot.ExitPanic || err != nil || m.Core() == "" {
		t.Fatalf("machine 0 = %d, %v, core %q; want %d and a core; console:\n%s", code, err, m.Core(), boot.ExitPanic, m.Console())
	}
	report := readCore(t, m.Core())
	for _, want := range []string{
		`(?m)^processor \d, mode kernel, thread \d+:\n(    .*\n)*    fault in the kernel\n    main\.init\.func.*broken_metal\.go:\d+\n(    .*\n)*    nuos/kernel\.handleSyscall\+`,
		`(?m)^thread \d+ \[running, processor \d, .* used, goroutine 1\]:\n(    .*\n)*    main\.broken\+(.*\n    )*runtime\.main`,
		`(?m)^thread \d+ \[blocked in (futex|nanosleep), for (futex|sleep), `,
		`(?m)^goroutine 1 \[running, thread \d+\]:\n(    .*\n)*    main\.broken\+`,
		`(?m)^goroutine \d+ \[GC sweep wait\]:\n.*runtime\.gopark\+`,
		`(?m)^ +\d+\.\d{6}  processor \d  thread \d+ +switch to thread \d+$`,
	} {
		if !regexp.MustCompile(want).MatchString(report) {
			t.Errorf("the report has no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("report:\n%s", report)
	}

	// Symbols of another build are refused.
	s, err := inspect.ReadSymbols(m.Core() + image.SymbolsSuffix)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inspect.Open(s, strings.NewReader(strings.Repeat("x", 64<<20)), nil); !errors.Is(err, inspect.ErrOtherImage) {
		t.Errorf("Open with memory of something else = %v, want ErrOtherImage", err)
	}
	if _, err := inspect.ReadSymbols(m.Core() + ".missing"); !errors.Is(err, inspect.ErrNoSymbols) {
		t.Errorf("symbols that are not there: %v, want ErrNoSymbols", err)
	}
}

// readCore returns what a core is reported to say.
func readCore(t *testing.T, path string) string {
	t.Helper()
	s, err := inspect.ReadSymbols(path + image.SymbolsSuffix)
	if err != nil {
		t.Fatal(err)
	}
	c, err := inspect.OpenCore(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := inspect.Open(s, c, c.Processors())
	if err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	if err := m.Report(&report, 1<<20); err != nil {
		t.Fatal(err)
	}
	return report.String()
}

// TestResetCore has a processor triple-fault: an invalid instruction, and no table
// to say what to do then. (It is in 32-bit mode, for which QEMU's core has another
// form than package inspect reads: the kernel is never in it.)
func TestResetCore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "guest.elf")
	if err := os.WriteFile(path, bareImage([]byte{0x0f, 0x0b}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, machine := range []string{"q35", "microvm", "pc"} {
		r := startRack(t, Options{Image: path, MachineType: machine, Memory: 64, Accel: "tcg"})
		m := r.Machine(0)
		if code, err := m.Wait(deadline(t)); !errors.Is(err, ErrReset) {
			t.Errorf("%s: a machine that resets = %d, %v; want ErrReset", machine, code, err)
		}
		core, err := elf.Open(m.Core())
		if err != nil || core.Type != elf.ET_CORE {
			t.Fatalf("%s: a core that is none: %v, %v; console:\n%s", machine, core, err, m.Console())
		}
		core.Close()
	}
}

// TestNoCore has a machine end well, which leaves none.
func TestNoCore(t *testing.T) {
	r := startRack(t, Options{Image: guest(t, 1), Accel: "tcg"})
	m := r.Machine(0)
	if code, err := m.Wait(deadline(t)); code != proofCode || err != nil || m.Core() != "" {
		t.Errorf("a machine that ends = %d, %v, core %q; want %d and no core", code, err, m.Core(), proofCode)
	}
}
