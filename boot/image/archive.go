package image

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/u-root/u-root/pkg/cpio"
)

// WriteArchive packs the files below dir into a boot archive, a cpio file
// whose bytes depend on names, modes and contents only. Names are relative to
// dir.
func WriteArchive(path, dir string) error {
	var buf bytes.Buffer
	w := cpio.Newc.Writer(&buf)
	files := cpio.NewRecorder()
	err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil || rel == "." {
			return err
		}
		rec, err := files.GetRecord(name)
		if err != nil {
			return err
		}
		rec.Name = rel
		return w.WriteRecord(cpio.MakeReproducible(rec))
	})
	if err == nil {
		err = cpio.WriteTrailer(w)
	}
	if err != nil {
		return fmt.Errorf("image: packing boot archive: %w", err)
	}
	return replaceFile(path, buf.Bytes())
}
