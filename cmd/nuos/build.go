package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"nuos/boot/image"
	"nuos/qemu"
	"nuos/qemu/linux"
)

func buildCommand() *cobra.Command {
	var o image.Options
	strip := false
	cmd := &cobra.Command{
		Use:   "build PACKAGE",
		Short: "Write a bootable image of a Go program",
		Long: `Build compiles a main package with the stock Go toolchain and writes one file that
PVH and Multiboot loaders boot, QEMU's -kernel among them. PACKAGE is any program,
as it is: a package of this module, a folder of another one, or PATH@VERSION of a
module that the go command can fetch. Symbols go to a file of their own beside the
image, with .debug behind its name.`,
		Example: `  nuos build ./images/kv
  nuos build -o kv.elf --archive ./assets ./images/kv
  nuos build ../elsewhere/cmd/server
  nuos build go.etcd.io/bbolt/cmd/bbolt@v1.4.0`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Package, o.Symbols = args[0], !strip
			start := time.Now()
			fmt.Fprintf(os.Stderr, "building %s ...\n", o.Package)
			r, err := image.Build(cmd.Context(), o)
			if err != nil {
				return err
			}
			fmt.Printf("%s: %.1f MB, build %x, %.1f s\n", r.Path, float64(r.Size)/1e6, r.ID[:6], time.Since(start).Seconds())
			return nil
		},
	}
	cmd.Flags().StringVarP(&o.Output, "output", "o", "", "file to write (default the package's name and .elf)")
	cmd.Flags().StringVar(&o.Archive, "archive", "", "folder to pack into the boot archive beside the image")
	cmd.Flags().BoolVar(&strip, "strip", false, "do not write the file with symbols for debuggers beside the image, IMAGE"+image.SymbolsSuffix)
	return cmd
}

// buildFor sets o's Image, or its Package, to target: a file that exists, or a
// package, of which an image is written into dir. It sets o's Archive to archive,
// a file or a folder to pack, if that is not empty.
func buildFor(ctx context.Context, o *qemu.Options, target, archive, dir string) error {
	if archive != "" {
		info, err := os.Stat(archive)
		if err != nil {
			return err
		}
		o.Archive = archive
		if info.IsDir() {
			o.Archive = filepath.Join(dir, "files.cpio")
			if err := image.WriteArchive(o.Archive, image.Tree{Dir: archive}); err != nil {
				return err
			}
		}
	}
	if info, err := os.Stat(target); err == nil && info.Mode().IsRegular() {
		o.Image = target
		return nil
	}
	if o.Hosted {
		o.Package = target
		return nil
	}
	r, err := image.Build(ctx, image.Options{Package: target, Output: filepath.Join(dir, "image.elf"), Symbols: true})
	o.Image = r.Path
	return err
}

// linuxFor sets o to a Linux guest that runs target, a main package as the go
// command names it here, with the arguments and environment variables in o's Params.
func linuxFor(ctx context.Context, o *qemu.Options, target, dir string) error {
	program := filepath.Join(dir, "program")
	if err := linux.Build(ctx, "", target, program); err != nil {
		return err
	}
	p := linux.Program{Path: program}
	for i, w := range o.Params {
		if w == "--" {
			p.Args = o.Params[i+1:]
			break
		}
		if isBootParameter(w) {
			return fmt.Errorf("%s: Linux has no such boot parameter", w)
		}
		p.Env = append(p.Env, w)
	}
	guest, err := linux.Guest(ctx, p, dir)
	if err != nil {
		return err
	}
	o.Image, o.Archive, o.Params, o.NoNIC, o.Machines = guest.Image, guest.Archive, guest.Params, true, 1
	return nil
}

// isBootParameter tells boot parameters from environment variables.
func isBootParameter(word string) bool { return word == "" || word[0] < 'A' || word[0] > 'Z' }
