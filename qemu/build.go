package qemu

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// build makes the executable of hosted machines from Options.Package.
func (o *Options) build(ctx context.Context, dir string) error {
	if o.Image != "" || o.Package == "" {
		return nil
	}
	if !o.Hosted {
		return fmt.Errorf("qemu: Package is for hosted machines; make an image of %s with `nuos build`", o.Package)
	}
	o.Image = filepath.Join(dir, builtFile)
	out, err := exec.CommandContext(ctx, "go", "build", "-o", o.Image, o.Package).CombinedOutput()
	if err != nil {
		return fmt.Errorf("qemu: go build %s: %w\n%s", o.Package, err, out)
	}
	return nil
}
