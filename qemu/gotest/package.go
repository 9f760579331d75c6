package gotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"nuos/boot/image"
)

// goPackage is what go list says about the package under test.
type goPackage struct {
	Dir        string
	ImportPath string
	Standard   bool
	Root       string // GOROOT of a standard package

	TestGoFiles, XTestGoFiles []string
}

func find(ctx context.Context, dir, pkg string) (*goPackage, error) {
	out, err := goCommand(ctx, dir, "list", "-json=Dir,ImportPath,Standard,Root,TestGoFiles,XTestGoFiles", "--", pkg)
	if err != nil {
		return nil, err
	}
	p := new(goPackage)
	if err := json.Unmarshal(out, p); err != nil {
		return nil, fmt.Errorf("gotest: %s is not one package: %w", pkg, err)
	}
	return p, nil
}

// List expands patterns, "std" among them, to packages that images can have: all
// but commands of the Go release and what belongs to the race detector, cgo and
// vendored packages.
func List(ctx context.Context, patterns ...string) ([]string, error) {
	out, err := goCommand(ctx, "", append([]string{"list", "--"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		if p := strings.TrimSpace(line); !strings.HasPrefix(p, "vendor/") {
			all = append(all, p)
		}
	}
	return all, nil
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("gotest: go %s: %w\n%s", args[0], err, stderr.Bytes())
	}
	return stdout.Bytes(), nil
}

// looksElsewhere lists standard packages, those in a folder by its slash, whose tests
// read more of GOROOT than the rest: src/* is all of src but the commands.
var looksElsewhere = map[string][]string{
	"go/": {"src", "test", "api"}, "runtime": {"src/*"}, "os": {"src/*"}, "io/fs": {"src/*"},
	"embed": {"src/*"}, "testing": {"src/*"}, "path/filepath": {"src/*", "test"}, "compress/gzip": {"src/*"},
	"internal/copyright": {"src/*"}, "internal/godebugs": {"src/*", "doc"}, "internal/reflectlite": {"src/*"}, "internal/types/": {"src/*"},
}

// trees are the files that the tests may read, at their paths on this computer.
func (p *goPackage) trees() []image.Tree {
	if !p.Standard {
		return []image.Tree{{Dir: p.Dir, At: p.Dir}}
	}
	// The packages of a family share files, such as compress/testdata.
	family, _, _ := strings.Cut(p.ImportPath, "/")
	folders := []string{"src/" + family, "src/testdata"}
	for prefix, others := range looksElsewhere {
		if p.ImportPath == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(p.ImportPath, prefix) {
			folders = others
		}
	}
	var trees []image.Tree
	for _, f := range append(folders, "lib/time") {
		dirs, _ := filepath.Glob(filepath.Join(p.Root, f)) // the patterns are well-formed
		for _, dir := range dirs {
			info, err := os.Stat(dir)
			if err != nil || !info.IsDir() || strings.HasSuffix(f, "*") && info.Name() == "cmd" {
				continue
			}
			trees = append(trees, image.Tree{Dir: dir, At: dir})
		}
	}
	return trees
}

// environment is what tests find in theirs.
func (p *goPackage) environment() []string {
	return []string{"GOROOT=" + goroot(), "HOME=/root", "USER=root", "PATH=/bin", "GO_TEST_TIMEOUT_SCALE=5"}
}

var goroot = sync.OnceValue(func() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})
