package gotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"

	"nuos/boot/image"
	"nuos/qemu"
)

// linuxGuest builds the tests as an ordinary program, the first process of a
// Linux.
func linuxGuest(ctx context.Context, dir string, p *goPackage, args []string, work string) (qemu.Options, error) {
	kernel, err := linuxKernel(ctx)
	if err != nil {
		return qemu.Options{}, err
	}
	root := filepath.Join(work, "root")
	if err := os.Mkdir(root, 0o777); err != nil {
		return qemu.Options{}, err
	}
	if _, err := goCommand(ctx, "", "build", "-o", filepath.Join(root, "init"), "nuos/qemu/gotest/internal/linuxinit"); err != nil {
		return qemu.Options{}, err
	}
	if _, err := goCommand(ctx, dir, "test", "-c", "-trimpath", "-ldflags=-w", "-o", filepath.Join(root, "test"), p.ImportPath); err != nil {
		return qemu.Options{}, err
	}
	command, err := json.Marshal(map[string]any{"Args": args, "Env": p.environment(), "Dir": p.Dir})
	if err != nil {
		return qemu.Options{}, err
	}
	if err := os.WriteFile(filepath.Join(root, "command.json"), command, 0o666); err != nil {
		return qemu.Options{}, err
	}
	archive := filepath.Join(work, "files.cpio")
	if err := image.WriteArchive(archive, append(p.trees(), image.Tree{Dir: root})...); err != nil {
		return qemu.Options{}, err
	}
	return qemu.Options{Image: kernel, Archive: archive, Params: []string{"console=ttyS0", "quiet", "loglevel=1", "panic=-1", "rdinit=/init"}}, nil
}

// linuxPackage is the meta package that depends on Debian's newest kernel for
// virtual machines.
const linuxPackage = "linux-image-cloud-amd64"

var fetching sync.Mutex

// linuxKernel returns the file of the kernel and fetches it the first time.
func linuxKernel(ctx context.Context) (string, error) {
	fetching.Lock()
	defer fetching.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "nuos", "linux")
	kernel := filepath.Join(dir, "vmlinuz")
	if _, err := os.Stat(kernel); err == nil {
		return kernel, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	run := func(name string, args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = work
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("gotest: the Linux guest cannot be fetched: %s: %w\n%s", name, err, stderr.Bytes())
		}
		return out, nil
	}
	depends, err := run("apt-cache", "depends", linuxPackage)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`Depends: (linux-image-\S+)`).FindSubmatch(depends)
	if m == nil {
		return "", fmt.Errorf("gotest: apt-cache knows no %s: the Linux guest needs Debian's package lists (apt-get update)", linuxPackage)
	}
	if _, err := run("apt-get", "download", "-q", string(m[1])); err != nil {
		return "", err
	}
	packages, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	if len(packages) != 1 {
		return "", fmt.Errorf("gotest: apt-get download %s left %d packages", m[1], len(packages))
	}
	if _, err := run("dpkg-deb", "-x", packages[0], "."); err != nil {
		return "", err
	}
	kernels, _ := filepath.Glob(filepath.Join(work, "boot", "vmlinuz-*"))
	if len(kernels) != 1 {
		return "", fmt.Errorf("gotest: %s has no kernel", packages[0])
	}
	return kernel, os.Rename(kernels[0], kernel)
}
