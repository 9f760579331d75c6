package image

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"nuos/boot"
)

// start boots an image on QEMU, without acceleration so that it works
// everywhere, and returns the console and the exit code of the machine. The
// time limit is for machines that hang; one that boots takes a second.
func start(t *testing.T, file string, args ...string) (console string, code uint8) {
	t.Helper()
	qemu, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Fatal("qemu-system-x86_64 is not installed; Debian has it in the package qemu-system-x86")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if file != "" {
		args = append(args, "-kernel", file)
	}
	cmd := exec.CommandContext(ctx, qemu, append([]string{
		"-accel", "tcg,thread=multi", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-device", "isa-debug-exit,iobase=0xf4,iosize=4"}, args...)...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the machine hangs; its console:\n%s", out)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("QEMU ended with %v, want the status of a machine; console:\n%s", err, out)
	}
	code, ok := boot.FromQEMU(exit.ExitCode())
	if !ok {
		t.Fatalf("QEMU ended with %v, want the status of a machine; console:\n%s", err, out)
	}
	return string(out), code
}

// wantHello checks that images/hello ran to its end and how it was booted.
func wantHello(t *testing.T, method boot.Method, console string, code uint8) {
	t.Helper()
	if code != 0 || !strings.Contains(console, "hello from go") || !strings.Contains(console, method.String()) {
		t.Errorf("exit code %d, want 0, %q and %q on the console:\n%s", code, "hello from go", method, console)
	}
}

// TestMachines boots on every kind of machine, with the best and the default
// processor model, with little and with much memory.
func TestMachines(t *testing.T) {
	for name, args := range map[string]string{
		"q35":             "-M q35 -m 256 -cpu max",
		"q35 default CPU": "-M q35 -m 256",
		"pc":              "-M pc -m 64 -cpu max",
		"16 MiB":          "-M q35 -m 16 -smp 4 -cpu max",
		"16 MiB microvm":  "-M microvm -m 16",
		"microvm":         "-M microvm -m 256 -cpu max",
		"microvm no ACPI": "-M microvm,acpi=off -m 256",
		"above 4 GiB":     "-M q35 -m 7G -cpu max",
	} {
		t.Run(name, func(t *testing.T) {
			console, code := start(t, hello.Path, strings.Fields(args)...)
			wantHello(t, boot.PVH, console, code)
		})
	}
}

// variant writes a changed copy of the image.
func variant(t *testing.T, change func(b []byte)) string {
	t.Helper()
	b := readImage(t)
	change(b)
	path := filepath.Join(t.TempDir(), "variant.elf")
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestLoadedElsewhere changes the physical addresses in the ELF headers: the
// image runs wherever it was put, also where it overlaps its linked address.
func TestLoadedElsewhere(t *testing.T) {
	const linked = 0x400000
	for _, at := range []uint64{0x100000, 0x401000, 0x523000, 0x2745000, 0xA000000} {
		shift := at - linked
		file := variant(t, func(b []byte) {
			add := func(at uint64) {
				binary.LittleEndian.PutUint64(b[at:], binary.LittleEndian.Uint64(b[at:])+shift)
			}
			for i := range uint64(binary.LittleEndian.Uint16(b[56:])) { // e_phnum
				phdr := 64 + 56*i
				switch binary.LittleEndian.Uint32(b[phdr:]) {
				case 1: // PT_LOAD
					add(phdr + 24) // p_paddr
				case 4: // PT_NOTE
					add(binary.LittleEndian.Uint64(b[phdr+8:]) + 16) // the entry
				}
			}
		})
		console, code := start(t, file, "-M", "q35", "-m", "256", "-cpu", "max")
		wantHello(t, boot.PVH, console, code)
	}
}

// TestMultiboot moves the Multiboot header to where QEMU finds it; QEMU then
// prefers it to PVH.
func TestMultiboot(t *testing.T) {
	file := variant(t, func(b []byte) {
		const to = 0x1000
		h := b[to:]
		copy(h, b[multibootOffset:multibootOffset+32])
		for _, field := range []int{12, 16} { // header_addr, load_addr
			addr := binary.LittleEndian.Uint32(h[field:])
			binary.LittleEndian.PutUint32(h[field:], addr-(multibootOffset-to))
		}
	})
	for _, machine := range []string{"q35", "pc"} {
		console, code := start(t, file, "-M", machine, "-m", "256", "-cpu", "max")
		wantHello(t, boot.Multiboot, console, code)
	}
	wantShort(t, file, `\d+ KiB of \d+ KiB`, "7", "8")
}

// TestRefusals boots machines on which the image must not run.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ name, args, says string }{
		{"32-bit processor", "-M pc -m 128 -cpu qemu32", "this processor has no 64-bit mode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			console, code := start(t, hello.Path, strings.Fields(c.args)...)
			if code != boot.ExitRefused || !strings.Contains(console, c.says) {
				t.Errorf("exit code %d, want %d and %q on the console:\n%s", code, boot.ExitRefused, c.says, console)
			}
		})
	}
}

// TestShort boots with less memory than the image needs, than its zeroed data need, and than
// the file has bytes.
func TestShort(t *testing.T) {
	wantShort(t, hello.Path, `\d+ KiB of \d+ KiB`, "7", "8", "10")
	wantShort(t, hello.Path, `\d+ KiB`, "5")
}

// wantShort boots with a few MiB of memory, which the image must refuse with numbers.
func wantShort(t *testing.T, file, numbers string, memory ...string) {
	t.Helper()
	says := regexp.MustCompile(`^nuos: ` + string(boot.NotEnoughMemory) + `: ` + numbers + `\r?\n`)
	for _, mib := range memory {
		console, code := start(t, file, "-M", "q35", "-m", mib, "-cpu", "max")
		if code != boot.ExitRefused || !says.MatchString(console) {
			t.Errorf("%s MiB: exit code %d, want %d and %s on the console:\n%s", mib, code, boot.ExitRefused, says, console)
		}
	}
}

// TestGRUB boots the file as it is from a CD with GRUB, with a module.
func TestGRUB(t *testing.T) {
	mkrescue, err := exec.LookPath("grub-mkrescue")
	if err != nil {
		t.Skip("grub-mkrescue is not installed; Debian has it in grub-common, and needs grub-pc-bin, xorriso and mtools as well")
	}
	dir := t.TempDir()
	grub := filepath.Join(dir, "root", "boot", "grub")
	if err := os.MkdirAll(grub, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		filepath.Join(grub, "grub.cfg"):         []byte("set timeout=0\nmenuentry nuos {\n\tmultiboot /hello.elf GOGC=50\n\tmodule /hello.elf\n}\n"),
		filepath.Join(dir, "root", "hello.elf"): readImage(t),
	} {
		if err := os.WriteFile(name, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cd := filepath.Join(dir, "grub.iso")
	if out, err := exec.CommandContext(t.Context(), mkrescue, "-o", cd, filepath.Join(dir, "root")).CombinedOutput(); err != nil {
		t.Skipf("grub-mkrescue is not complete: %v\n%s", err, out)
	}
	console, code := start(t, "", "-M", "q35", "-m", "256", "-cpu", "max", "-cdrom", cd)
	wantHello(t, boot.Multiboot, console, code)
}

// TestCommandLine boots with parameters that nobody declares, with environment
// variables and arguments, which are none, and with too long a line.
func TestCommandLine(t *testing.T) {
	console, code := start(t, hello.Path, "-append", "idle=halt knwon=1 GOGC=50 -- argument")
	wantHello(t, boot.PVH, console, code)
	if n := strings.Count(console, "unknown boot parameter"); n != 1 || !strings.Contains(console, `unknown boot parameter "knwon" ignored`) {
		t.Errorf("want knwon, and nothing else, reported as unknown; console:\n%s", console)
	}
	console, code = start(t, hello.Path, "-append", strings.Repeat("GOGC=50 ", boot.MaxCommandLine/8)+"last=1")
	wantHello(t, boot.PVH, console, code)
	if !strings.Contains(console, "the command line has more than") {
		t.Errorf("a line that is too long is not said to be; console:\n%s", console)
	}
}
