package linux

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"nuos/boot/image"
	"nuos/qemu"
)

// Program is what a guest runs.
type Program struct {
	Path      string       // the executable, for Linux on amd64, without cgo
	Args, Env []string     // Args without the program's name
	Dir       string       // where it runs; "" is the root
	Files     []image.Tree // what it finds

	// Network says that the machine is one of a rack. Its card is the interface eth0, which is
	// up and has no address, and the boot parameters that the rack gives (package qemu)
	// come before Args.
	Network bool
}

// Guest returns the options of a machine that runs p and ends with its exit code.
// Its files are written into the folder work, which the machine needs as long as
// it runs. The machine has a console, and a network only if the program says so.
func Guest(ctx context.Context, p Program, work string) (qemu.Options, error) {
	kernel, err := kernel(ctx)
	if err != nil {
		return qemu.Options{}, err
	}
	root := filepath.Join(work, "root")
	if err := os.Mkdir(root, 0o777); err != nil {
		return qemu.Options{}, err
	}
	tree, err := image.SourceTree(ctx)
	if err != nil {
		return qemu.Options{}, err
	}
	if err := Build(ctx, tree, "nuos/qemu/linux/internal/init", filepath.Join(root, "init")); err != nil {
		return qemu.Options{}, err
	}
	program, err := os.ReadFile(p.Path)
	if err != nil {
		return qemu.Options{}, err
	}
	if err := os.WriteFile(filepath.Join(root, "program"), program, 0o777); err != nil {
		return qemu.Options{}, err
	}
	command, err := json.Marshal(map[string]any{"Args": p.Args, "Env": p.Env, "Dir": p.Dir})
	if err != nil {
		return qemu.Options{}, err
	}
	if err := os.WriteFile(filepath.Join(root, "command.json"), command, 0o666); err != nil {
		return qemu.Options{}, err
	}
	if p.Network {
		if err := os.Mkdir(filepath.Join(root, "modules"), 0o777); err != nil {
			return qemu.Options{}, err
		}
		for i, m := range modules {
			b, err := os.ReadFile(filepath.Join(kernel, m+".ko"))
			if err != nil {
				return qemu.Options{}, err
			}
			if err := os.WriteFile(filepath.Join(root, "modules", fmt.Sprintf("%02d-%s.ko", i, m)), b, 0o666); err != nil {
				return qemu.Options{}, err
			}
		}
	}
	archive := filepath.Join(work, "files.cpio")
	if err := image.WriteArchive(archive, append(p.Files, image.Tree{Dir: root})...); err != nil {
		return qemu.Options{}, err
	}
	return qemu.Options{
		Image: filepath.Join(kernel, "vmlinuz"), Archive: archive, NoNIC: !p.Network, Machines: 1,
		// Where the host is slow the check of the timer finds none, and panics.
		Params: []string{"no_timer_check", "console=ttyS0", "quiet", "loglevel=1", "panic=-1", "rdinit=/init"},
	}, nil
}

// Build builds a main package for the guest, as the go command in the folder dir
// names it.
func Build(ctx context.Context, dir, pkg, output string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", output, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("linux: go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
