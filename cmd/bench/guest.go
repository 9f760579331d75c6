package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"nuos/boot/image"
	"nuos/qemu/monitor"
)

// guestMigrate moves a small virtual machine that does nothing to another emulator while it
// runs, over a unix socket, as fast as the emulator can.
func guestMigrate(ctx context.Context, b *bench) (string, error) {
	if _, err := exec.LookPath(emulator); err != nil {
		return "", leaveOut("%s is not installed", emulator)
	}
	if b.idle == "" {
		built, err := image.Build(ctx, image.Options{Package: "./images/echo", Output: filepath.Join(b.dir, "idle.elf")})
		if err != nil {
			return "", err
		}
		b.idle = built.Path
	}
	folder, err := b.folder()
	if err != nil {
		return "", err
	}
	socket := filepath.Join(folder, "migration")
	from, err := startGuest(ctx, b, 0, folder)
	if err != nil {
		return "", err
	}
	defer from.stop()
	if err := from.awaitConsole(ctx, "echo on"); err != nil {
		return "", err
	}
	to, err := startGuest(ctx, b, 1, folder, "-incoming", "unix:"+socket)
	if err != nil {
		return "", err
	}
	defer to.stop()
	// Bytes in a second: as many as there are.
	if err := from.monitor.Execute("migrate-set-parameters", map[string]any{"max-bandwidth": 100_000_000_000}, nil); err != nil {
		return "", err
	}
	if err := from.monitor.Execute("migrate", map[string]any{"uri": "unix:" + socket}, nil); err != nil {
		return "", err
	}
	for {
		var state struct {
			Status   string  `json:"status"`
			Total    float64 `json:"total-time"` // ms
			Downtime float64 `json:"downtime"`   // ms
			Error    string  `json:"error-desc"`
		}
		if err := from.monitor.Execute("query-migrate", nil, &state); err != nil {
			return "", err
		}
		switch state.Status {
		case "completed":
			return fmt.Sprintf("BenchmarkPeerMove/peer=qemu-migrate/bytes=%d\t1\t%.0f ns/op\t%.0f pause-ns/op\n",
				guestMemory<<20, state.Total*1e6, state.Downtime*1e6), nil
		case "failed", "cancelled":
			return "", fmt.Errorf("the migration has %s: %s", state.Status, state.Error)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

const (
	emulator    = "qemu-system-x86_64"
	guestMemory = 64 // MiB
)

// guest is one emulator.
type guest struct {
	process *exec.Cmd
	monitor *monitor.Client
	console string
}

// startGuest starts an emulator and returns when its monitor answers.
func startGuest(ctx context.Context, b *bench, side int, folder string, more ...string) (*guest, error) {
	socket := filepath.Join(folder, fmt.Sprintf("monitor-%d", side))
	g := &guest{console: filepath.Join(folder, fmt.Sprintf("console-%d", side))}
	// Two processors are planned for one, see package qemu. The network card's cable
	// is not plugged in.
	args := []string{"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1,maxcpus=2", "-m", fmt.Sprint(guestMemory),
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "file:" + g.console,
		"-device", "virtio-net-pci,romfile=", "-device", "virtio-rng-pci", "-kernel", b.idle, "-append", "ip=10.77.0.1/24",
		"-qmp", "unix:" + socket + ",server=on,wait=off"}
	g.process = b.pinned(ctx, side, emulator, append(args, more...)...)
	if err := g.process.Start(); err != nil {
		return nil, err
	}
	for {
		m, err := monitor.Dial(ctx, socket)
		if err == nil {
			g.monitor = m
			return g, nil
		}
		if ctx.Err() != nil || !errors.Is(err, fs.ErrNotExist) {
			g.process.Process.Kill()
			g.process.Wait()
			return nil, err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (g *guest) stop() {
	g.monitor.Close()
	g.process.Process.Kill()
	g.process.Wait()
}

// bootTime is how long the guest may take to say that it is there.
const bootTime = 30 * time.Second

func (g *guest) awaitConsole(ctx context.Context, text string) error {
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		said, err := os.ReadFile(g.console)
		if strings.Contains(string(said), text) {
			return nil
		}
		if ctx.Err() != nil || time.Since(start) > bootTime {
			return fmt.Errorf("the guest does not say %q (%v):\n%s", text, err, said)
		}
	}
}
