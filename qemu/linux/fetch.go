package linux

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
)

// kernelPackage is the meta package that depends on Debian's newest kernel for
// virtual machines.
const kernelPackage = "linux-image-cloud-amd64"

// modules are those that a virtio network card needs, in an order in which they can be loaded.
var modules = []string{"virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci",
	"failover", "net_failover", "virtio_net"}

var fetching sync.Mutex

// kernel returns the folder with the kernel, vmlinuz, and its modules, and fetches them the
// first time.
func kernel(ctx context.Context) (string, error) {
	fetching.Lock()
	defer fetching.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "nuos", "linux")
	// All of one package, and there only when they all are.
	complete := filepath.Join(dir, "kernel")
	if _, err := os.Stat(complete); err == nil {
		return complete, nil
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
			return nil, fmt.Errorf("linux: the Linux guest cannot be fetched: %s: %w\n%s", name, err, stderr.Bytes())
		}
		return out, nil
	}
	depends, err := run("apt-cache", "depends", kernelPackage)
	if err != nil {
		return "", err
	}
	m := regexp.MustCompile(`Depends: (linux-image-\S+)`).FindSubmatch(depends)
	if m == nil {
		return "", fmt.Errorf("linux: apt-cache knows no %s: the Linux guest needs Debian's package lists (apt-get update)", kernelPackage)
	}
	if _, err := run("apt-get", "download", "-q", string(m[1])); err != nil {
		return "", err
	}
	packages, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	if len(packages) != 1 {
		return "", fmt.Errorf("linux: apt-get download %s left %d packages", m[1], len(packages))
	}
	if _, err := run("dpkg-deb", "-x", packages[0], "."); err != nil {
		return "", err
	}
	kept := filepath.Join(work, "kept")
	if err := os.Mkdir(kept, 0o777); err != nil {
		return "", err
	}
	found := map[string]string{"vmlinuz": "boot/vmlinuz-*"}
	for _, m := range modules {
		found[m+".ko"] = "lib/modules/*/kernel/*/*/" + m + ".ko"
	}
	for name, pattern := range found {
		files, _ := filepath.Glob(filepath.Join(work, pattern))
		if len(files) != 1 {
			return "", fmt.Errorf("linux: %s has %d files %s", packages[0], len(files), pattern)
		}
		if err := os.Rename(files[0], filepath.Join(kept, name)); err != nil {
			return "", err
		}
	}
	return complete, os.Rename(kept, complete)
}
