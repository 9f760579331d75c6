package image

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// A program of another module, or a test of the standard library, cannot import
// nuos/kernel as it stands: its module does not know this one, and packages of
// the standard library may import nothing else. So it is built with a GOROOT in
// which the kernel belongs to the standard library. Nearly everything in it is a
// link, to the Go release or to this module; what the kernel needs of other modules
// lies in src/vendor, where the program's own versions do not meet it.

// linkGoroot makes such a GOROOT in dir, and returns the paths of all packages that
// an image may have because of the kernel.
func linkGoroot(ctx context.Context, dir string) (kernel []string, err error) {
	tree, err := SourceTree(ctx)
	if err != nil {
		return nil, err
	}
	out, err := runGo(ctx, tree, "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	release := strings.TrimSpace(string(out))
	src := filepath.Join(dir, "src")
	if err := os.MkdirAll(src, 0o777); err != nil {
		return nil, err
	}
	if err := linkAll(release, dir, "src"); err != nil {
		return nil, err
	}
	if err := linkAll(filepath.Join(release, "src"), src, "vendor"); err != nil {
		return nil, err
	}
	packages, err := kernelPackages(ctx, tree)
	if err != nil {
		return nil, err
	}
	for _, p := range packages {
		kernel = append(kernel, p.ImportPath)
		if p.Standard {
			continue
		}
		to := filepath.Join(src, p.ImportPath)
		if !strings.HasPrefix(p.ImportPath, "nuos/") {
			to = filepath.Join(src, "vendor", p.ImportPath)
		}
		if err := linkSources(p.Dir, to); err != nil {
			return nil, err
		}
	}
	return kernel, linkVendored(filepath.Join(release, "src", "vendor"), filepath.Join(src, "vendor"))
}

// SourceTree is the folder of this module's sources.
func SourceTree(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		tree := filepath.Dir(filepath.Dir(filepath.Dir(file)))
		if _, err := os.Stat(filepath.Join(tree, "go.mod")); err == nil {
			return tree, nil
		}
	}
	out, err := runGo(ctx, "", "list", "-m", "-f", "{{.Dir}}", "nuos")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoSources, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// kernelPackages lists what an image is linked with besides the program.
func kernelPackages(ctx context.Context, tree string) ([]program, error) {
	out, err := runGo(ctx, tree, "list", "-tags", "metal", "-deps", "-json=Dir,ImportPath,Standard",
		"nuos/boot", "nuos/kernel", "nuos/kernel/net", "nuos/drivers/rng")
	if err != nil {
		return nil, err
	}
	var all []program
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p program
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// linkAll links what is in the folder from into the folder to, but for one name.
func linkAll(from, to, but string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == but {
			continue
		}
		if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// linkSources links the files of one package, without its tests.
func linkSources(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		if err := linkSource(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// linkSource links one file. One with a directive that the compiler refuses in the
// standard library is copied without it; it is only advice.
func linkSource(from, to string) error {
	const refused = "//go:inline"
	src, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if !bytes.Contains(src, []byte(refused)) {
		return os.Symlink(from, to)
	}
	return os.WriteFile(to, bytes.ReplaceAll(src, []byte(refused), []byte("// inline")), 0o666)
}

// linkVendored lays the packages that the standard library vendors over those in
// to: of a package that both have, the standard library's version counts.
func linkVendored(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		link := filepath.Join(to, rel)
		if !e.IsDir() {
			return os.Symlink(path, link)
		}
		// The folder of a package is taken whole; one that only leads to
		// packages is shared.
		if files, _ := filepath.Glob(filepath.Join(path, "*.go")); len(files) > 0 {
			old, _ := filepath.Glob(filepath.Join(link, "*"))
			for _, f := range old {
				if info, err := os.Lstat(f); err == nil && !info.IsDir() {
					os.Remove(f)
				}
			}
		}
		return os.MkdirAll(link, 0o777)
	})
}
