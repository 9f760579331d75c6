package gotest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"nuos/boot/image"
)

// A folder of results makes it possible to go on with a long run that was
// interrupted, and to run only what failed after something was repaired.

// file is where the result of a package is kept.
func (o Options) file(pkg string) string {
	system := "nuos"
	if o.Linux {
		system = "linux"
	}
	return filepath.Join(o.Results, system, url.PathEscape(pkg)+".json")
}

// kept returns the result that the folder has of a package, nil if the tests must run:
// none is there, it is of other arguments, or the tests did not pass. In the Linux
// guest, which does not change, those that failed are not run again either, unless they
// took too long. With o.Kept whatever is there counts.
func (o Options) kept(pkg string) *Result {
	if o.Results == "" {
		return nil
	}
	b, err := os.ReadFile(o.file(pkg))
	if err != nil {
		return nil
	}
	r := newResult(pkg)
	if json.Unmarshal(b, r) != nil || !slices.Equal(r.Args, o.Args) {
		return nil
	}
	if !o.Kept && !r.Passed() && (!o.Linux || r.Crashed || r.timedOut()) {
		return nil
	}
	r.Kept = true
	return r
}

// keep adds a result to the folder.
func (o Options) keep(r *Result) error {
	if o.Results == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	file := o.file(r.Package)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return fmt.Errorf("gotest: keeping a result: %w", err)
	}
	// A result is whole or not there, whenever the run is interrupted.
	if err := os.WriteFile(file+".new", b, 0o666); err != nil {
		return fmt.Errorf("gotest: keeping a result: %w", err)
	}
	return os.Rename(file+".new", file)
}

// revision is what git calls the sources that images are made of now, "" if it does not
// know them.
func revision(ctx context.Context) string {
	tree, err := image.SourceTree(ctx)
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, "git", "-C", tree, "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
