package gotest

import (
	"context"
	"testing"
	"time"
)

// A part of the standard library's own tests, those that ask most of the kernel, pass in
// an image but for the exceptions, and every exception is still needed. nuos test std
// runs all of it.
func TestStandardLibrary(t *testing.T) {
	if testing.Short() {
		t.Skip("building packages that the kernel itself imports takes long")
	}
	for _, pkg := range []string{"archive/zip", "bufio", "context", "encoding/json", "io/fs", "os/signal", "path/filepath", "sync", "testing/fstest", "text/template"} {
		t.Run(pkg, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
			defer cancel()
			r, err := Run(ctx, pkg, Options{Args: []string{"-test.short"}, Memory: 1024})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range r.Unexpected() {
				t.Errorf("%s failed", name)
			}
			for _, name := range r.Needless() {
				t.Errorf("%s is an exception, but passes", name)
			}
			if run, _, _, _ := r.Count(); !r.Passed() || run == 0 {
				t.Errorf("%d tests ran, exit code %d, crashed %v; console:\n%s", run, r.ExitCode, r.Crashed, r.Console)
			}
		})
	}
}
