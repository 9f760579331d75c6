package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Options says what to build. The zero value of every field but Package is
// useful.
type Options struct {
	Package   string // a main package: a path, a folder of any module, or PATH@VERSION
	Test      bool   // build the package's tests instead; it may be any package then
	Output    string // file to write; default: the last element of the package's path and ".elf", in Dir
	Dir       string // where the go command runs; default: the current directory
	LDFlags   string // more flags for the linker
	Archive   string // folder to pack into the boot archive Output+".cpio"
	MinMemory uint64 // bytes of RAM below which the machine refuses to start; default: the program and WorkingMemory
	Symbols   bool   // also write Output+SymbolsSuffix, for debuggers and `nuos stat` and the like

	own bool // Dir is a module that Build made
}

// WorkingMemory is how many bytes of RAM, besides the program itself, an image
// needs unless Options say otherwise: the kernel's tables and stacks and the
// smallest heap on which Go programs run.
const WorkingMemory = 8 << 20

// Result describes a written image.
type Result struct {
	Path       string
	ImportPath string
	Dir        string   // folder of the package's sources
	ID         [32]byte // build identity
	Size       int64    // of the file, in bytes
	Span       uint64   // bytes of memory that the loader provides, zeroed data included
	MinMemory  uint64
	Net        bool   // the program imports net, so the image has an IP stack
	Archive    string // the boot archive, if one was asked for
}

// Build compiles Options.Package and writes a bootable image. Output is only
// replaced when everything went well. Several builds may run at a time if
// their outputs differ.
func Build(ctx context.Context, opt Options) (Result, error) {
	work, err := os.MkdirTemp("", "nuos-build-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(work)
	dir := opt.Dir
	if err := opt.locate(ctx, work); err != nil {
		return Result{}, err
	}
	p, err := inspect(ctx, opt)
	if err != nil {
		return Result{}, err
	}
	if opt.Output == "" {
		opt.Output = filepath.Join(dir, p.base()+".elf")
	}

	linked := filepath.Join(work, "linked")
	first, err := link(ctx, opt, p, work, linked)
	if err != nil {
		return Result{}, err
	}
	res := Result{Path: opt.Output, ImportPath: p.ImportPath, Dir: p.Dir, Net: p.net()}
	if err := res.write(linked, first, opt); err != nil {
		return Result{}, err
	}
	if opt.Archive != "" {
		res.Archive = opt.Output + ".cpio"
		if err := WriteArchive(res.Archive, Tree{Dir: opt.Archive}); err != nil {
			return Result{}, err
		}
	}
	return res, nil
}

// program is what go list says about a package.
type program struct {
	Dir        string
	ImportPath string
	Name       string
	ForTest    string
	Standard   bool
	Module     *module
	Deps       []string

	TestGoFiles  []string
	XTestGoFiles []string

	DefaultGODEBUG string
}

// base is the name that go install gives the program: the last element of its
// path that is not a module's major version.
func (p *program) base() string {
	if dir, last := path.Split(p.ImportPath); dir != "" && majorVersion.MatchString(last) {
		return path.Base(dir)
	}
	return path.Base(p.ImportPath)
}

var majorVersion = regexp.MustCompile(`^v[1-9][0-9]*$`)

func (p *program) imports(path string) bool {
	return slices.ContainsFunc(p.Deps, func(d string) bool { return pathOf(d) == path })
}

func (p *program) net() bool { return p.imports("net") }

// parts are the packages that the program is linked with to do on a machine what it does on
// Linux.
func (p *program) parts() []string {
	parts := []string{"nuos/kernel"}
	if p.net() {
		parts = append(parts, "nuos/kernel/net")
	}
	if p.imports("crypto/rand") {
		parts = append(parts, "nuos/drivers/rng")
	}
	return parts
}

// foreign reports whether the program can only be linked with the kernel in a
// GOROOT of its own.
func (p *program) foreign() bool {
	return (p.Module == nil || p.Module.Path != "nuos") && !p.imports("nuos/boot")
}

// godebug is the runtime's settings that the program is linked with: those that the
// go command would choose and, if the program has threads that move, the one
// that keeps their stacks in their place.
func (p *program) godebug() string {
	const fixedStacks = "gcshrinkstackoff=1"
	switch {
	case !p.imports("nuos/proclet/internal/fiber"):
		return p.DefaultGODEBUG
	case p.DefaultGODEBUG == "":
		return fixedStacks
	}
	return p.DefaultGODEBUG + "," + fixedStacks
}

// inspect finds the package and, of its tests, what the program made of them
// imports.
func inspect(ctx context.Context, opt Options) (*program, error) {
	args := []string{"list", "-tags", "metal",
		"-json=Dir,ImportPath,Name,ForTest,Standard,Module,Deps,DefaultGODEBUG,TestGoFiles,XTestGoFiles"}
	if opt.Test {
		args = append(args, "-test")
	}
	out, err := opt.runGo(ctx, nil, append(args, "--", opt.Package)...)
	if err != nil {
		return nil, err
	}
	var p, main *program
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		next := new(program)
		if err := dec.Decode(next); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		switch {
		case next.ForTest != "":
		case opt.Test && p != nil && next.Name == "main" && next.ImportPath == p.ImportPath+".test":
			main = next
		case p != nil:
			return nil, fmt.Errorf("image: %s matches several packages; name one", opt.Package)
		default:
			p = next
		}
	}
	switch {
	case p == nil:
		return nil, fmt.Errorf("image: %s matches no package", opt.Package)
	case opt.Test && main == nil:
		return nil, fmt.Errorf("%s: %w", p.ImportPath, ErrNoTests)
	case opt.Test:
		p.Deps, p.DefaultGODEBUG = main.Deps, main.DefaultGODEBUG
	case p.Name != "main":
		return nil, fmt.Errorf("%s is package %s: %w", p.ImportPath, p.Name, ErrNotMain)
	}
	return p, nil
}

// generated is the source that is added to the package name. The import names
// are unlikely to be those of the program.
func generated(name string, parts []string) string {
	src := `// Generated by the image writer.

package ` + name + `

import (
	nuosOS "os"

	nuosBoot "nuos/boot"
`
	for _, part := range parts {
		src += "\t_ \"" + part + "\"\n"
	}
	return src + `)

func init() { nuosBoot.Announce(nuosOS.Stderr) }
`
}

// link runs go build, or go test -c, with the generated file laid over the
// package's folder. The file of a test belongs to the package under test, so that the
// kernel is there when its variables are initialized; to the external test package,
// which may import what imports the package itself, where the kernel does. It returns the
// packages that are to be initialized first.
func link(ctx context.Context, opt Options, p *program, work, output string) (first map[string]bool, err error) {
	name, file, command := "main", "nuos_generated_metal.go", []string{"build", "-buildmode=exe"}
	if opt.Test {
		name, file, command = p.Name+"_test", "nuos_generated_test.go", []string{"test", "-c"}
	}
	source, overlay := filepath.Join(work, "nuos.go"), filepath.Join(work, "overlay.json")
	dir, environment := p.Dir, []string(nil)
	if p.foreign() {
		root := filepath.Join(work, "goroot")
		kernel, err := linkGoroot(ctx, root)
		if err != nil {
			return nil, err
		}
		if opt.Test && !slices.Contains(kernel, p.ImportPath) {
			name = p.Name
		}
		if p.Standard {
			// In its own module nothing else is called nuos.
			opt.Dir = filepath.Join(root, "src")
			dir = filepath.Join(opt.Dir, p.ImportPath)
		}
		environment = []string{"GOROOT=" + root, "GOTOOLCHAIN=local"}
	}
	var flags []string
	if p.Module.cached() {
		if dir, flags, err = opt.copyModule(ctx, p, work); err != nil {
			return nil, err
		}
	}
	replace, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(dir, file): source},
	})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(source, []byte(generated(name, p.parts())), 0o666); err != nil {
		return nil, err
	}
	if err := os.WriteFile(overlay, replace, 0o666); err != nil {
		return nil, err
	}
	// The linker writes symbols and debug information in any case: the stamp is
	// found by the symbol table, and flags that leave them out change the
	// identity. -trimpath and -buildvcs=false keep the folder and the state
	// of the repository out of the identity. Functions begin at every 16 bytes, not
	// 32: what of an image is never run is most of it, and a fiftieth less to load.
	ldflags := "-E " + entrySymbol + " -funcalign=16"
	if g := p.godebug(); g != "" {
		ldflags += " -X runtime.godebugDefault=" + g
	}
	flags = append(flags, "-tags", "metal", "-overlay", overlay)
	args := append(append(command, flags...), "-trimpath", "-buildvcs=false",
		"-ldflags", strings.TrimSpace(ldflags+" "+opt.LDFlags), "-o", output, p.ImportPath)
	if _, err := opt.runGo(ctx, environment, args...); err != nil {
		return nil, err
	}
	if opt.Test {
		flags = append(flags, "-test")
	}
	return opt.closure(ctx, environment, append(flags, p.ImportPath), p.parts())
}

// runGo runs the go command for the machine that images run on.
func runGo(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return runGoWith(ctx, nil, dir, args...)
}

func runGoWith(ctx context.Context, environment []string, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOAMD64=v1")
	cmd.Env = append(cmd.Env, environment...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, ErrNoGo
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, &BuildError{"go " + args[0], strings.TrimSpace(stderr.String() + stdout.String()), err}
	}
	return stdout.Bytes(), nil
}

func copyFile(to, from string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o777)
}
