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

// looksElsewhere lists packages whose tests read other folders of GOROOT than
// their own and src/testdata.
var looksElsewhere = map[string][]string{
	"go/": {"src", "test", "api"}, "internal/": {"src", "test"}, "html/template": {"src"}, "io/fs": {"src"}, "os": {"src"},
	"archive/": {"src"}, "debug/": {"src"}, "text/": {"src"}, "net/http": {"src"}, "runtime": {"src"}, "testing": {"src"},
	"embed": {"src"}, "path/filepath": {"src"}, "encoding/": {"src"}, "compress/": {"src"}, "image/": {"src"}, "crypto/": {"src"},
}

// trees are the files that the tests may read, at their paths on this computer.
func (p *goPackage) trees() []image.Tree {
	same := func(dir string) image.Tree { return image.Tree{Dir: dir, At: dir} }
	if !p.Standard {
		return []image.Tree{same(p.Dir)}
	}
	trees := []image.Tree{same(filepath.Join(p.Root, "lib", "time"))}
	for prefix, folders := range looksElsewhere {
		if p.ImportPath == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(p.ImportPath, prefix) {
			for _, f := range folders {
				trees = append(trees, same(filepath.Join(p.Root, f)))
			}
			return trees
		}
	}
	return append(trees, same(p.Dir), same(filepath.Join(p.Root, "src", "testdata")))
}

// environment is what tests find in theirs.
func (p *goPackage) environment() []string {
	return []string{"GOROOT=" + goroot(), "HOME=/root", "USER=root", "PATH=/bin"}
}

var goroot = sync.OnceValue(func() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})
