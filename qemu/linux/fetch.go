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

var fetching sync.Mutex

// kernel returns the file of the kernel and fetches it the first time.
func kernel(ctx context.Context) (string, error) {
	fetching.Lock()
	defer fetching.Unlock()
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "nuos", "linux")
	file := filepath.Join(dir, "vmlinuz")
	if _, err := os.Stat(file); err == nil {
		return file, nil
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
	kernels, _ := filepath.Glob(filepath.Join(work, "boot", "vmlinuz-*"))
	if len(kernels) != 1 {
		return "", fmt.Errorf("linux: %s has no kernel", packages[0])
	}
	return file, os.Rename(kernels[0], file)
}
