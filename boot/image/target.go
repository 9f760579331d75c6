package image

import (
	"context"
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"strings"
)

// locate makes Package one that the go command finds in Dir. A folder is built in
// the module that it belongs to, whichever that is; PATH@VERSION in a module of
// its own in work, which requires that version and nothing else, as go run does.
func (opt *Options) locate(ctx context.Context, work string) error {
	if name, version, found := strings.Cut(opt.Package, "@"); found {
		opt.Package, opt.Dir, opt.own = name, filepath.Join(work, "module"), true
		if err := os.Mkdir(opt.Dir, 0o777); err != nil {
			return err
		}
		if _, err := opt.runGo(ctx, nil, "mod", "init", "program"); err != nil {
			return err
		}
		_, err := opt.runGo(ctx, nil, "get", name+"@"+version)
		return err
	}
	if !build.IsLocalImport(opt.Package) && !filepath.IsAbs(opt.Package) || strings.Contains(opt.Package, "...") {
		return nil
	}
	dir := opt.Package
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(opt.Dir, dir)
	}
	switch info, err := os.Stat(dir); {
	case err != nil:
		return fmt.Errorf("image: %w", err)
	case !info.IsDir():
		return fmt.Errorf("image: %s is a file: %w", opt.Package, ErrNotMain)
	}
	opt.Dir, opt.Package = dir, "."
	return nil
}

// runGo runs the go command where the package was located.
func (opt *Options) runGo(ctx context.Context, environment []string, args ...string) ([]byte, error) {
	if opt.own {
		environment = append(environment, "GOWORK=off", "GOFLAGS=-mod=mod")
	}
	return runGoWith(ctx, environment, opt.Dir, args...)
}

// module is what go list says about a package's module.
type module struct {
	Path, Version, Dir string
	Main               bool
	Replace            *module
}

// cached reports whether the module lies in the module cache, where the go command
// lets nothing be laid over.
func (m *module) cached() bool {
	return m != nil && !m.Main && m.Version != "" && (m.Replace == nil || m.Replace.Version != "")
}

// copyModule copies the program's module out of the module cache into work. It
// returns the copy's folder of the program and the flags with which the go command
// in opt.Dir takes the copy for the original.
func (opt *Options) copyModule(ctx context.Context, p *program, work string) (dir string, flags []string, err error) {
	to := filepath.Join(work, "copy")
	if err := os.CopyFS(to, os.DirFS(p.Module.Dir)); err != nil {
		return "", nil, fmt.Errorf("image: copying module %s: %w", p.Module.Path, err)
	}
	out, err := opt.runGo(ctx, nil, "env", "GOMOD")
	if err != nil {
		return "", nil, err
	}
	from, file := strings.TrimSpace(string(out)), filepath.Join(work, "edited.mod")
	if err := copyFile(file, from); err != nil {
		return "", nil, err
	}
	if err := copyFile(filepath.Join(work, "edited.sum"), strings.TrimSuffix(from, ".mod")+".sum"); err != nil {
		return "", nil, err
	}
	if _, err := opt.runGo(ctx, nil, "mod", "edit", "-replace="+p.Module.Path+"="+to, file); err != nil {
		return "", nil, err
	}
	rel, err := filepath.Rel(p.Module.Dir, p.Dir)
	return filepath.Join(to, rel), []string{"-modfile", file, "-mod=mod"}, err
}
