package fiber_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"nuos/boot"
	"nuos/boot/image"
)

// TestMachine runs the stress test on machines of ours, whose kernel maps the stacks
// and delivers the signals.
func TestMachine(t *testing.T) {
	needMovable(t)
	path := filepath.Join(t.TempDir(), "exercise.elf")
	if _, err := image.Build(t.Context(), image.Options{
		Package: "nuos/proclet/internal/fiber/internal/exercise", Output: path,
	}); err != nil {
		t.Fatal(err)
	}
	for _, processors := range []int{1, 2} {
		t.Run(strconv.Itoa(processors), func(t *testing.T) {
			seed := strconv.FormatUint(rand.Uint64(), 10)
			// The limit is for a machine that hangs; a loaded host is slow.
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, "qemu-system-x86_64",
				"-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max", "-smp", strconv.Itoa(processors), "-m", "256",
				"-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
				"-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", path,
				"-append", "GOGC=5 GODEBUG=clobberfree=1 -- 4 100 "+seed).CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			code, ok := uint8(0), err == nil
			if exit != nil {
				code, ok = boot.FromQEMU(exit.ExitCode())
			}
			if !ok || code != 0 || !strings.Contains(string(out), "\nok, ") {
				t.Errorf("exit code %d, %v, console:\n%s", code, ctx.Err(), out)
			}
			t.Logf("%s", out)
		})
	}
}
