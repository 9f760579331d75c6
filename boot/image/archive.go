package image

import (
	"bytes"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/u-root/u-root/pkg/cpio"
)

// Tree is a folder of this computer and the folder of the archive that gets its
// files, "" for the root.
type Tree struct{ Dir, At string }

// WriteArchive packs files into a boot archive, a cpio file whose bytes depend on
// names, modes and contents only. No file may lie in two of the trees. Every
// folder comes before what is in it.
func WriteArchive(path string, trees ...Tree) error {
	var buf bytes.Buffer
	a := archive{cpio.Newc.Writer(&buf), cpio.NewRecorder(), map[string]bool{".": true, "/": true}}
	for _, t := range trees {
		if err := a.add(t); err != nil {
			return fmt.Errorf("image: packing boot archive: %w", err)
		}
	}
	if err := cpio.WriteTrailer(a.w); err != nil {
		return fmt.Errorf("image: packing boot archive: %w", err)
	}
	return replaceFile(path, buf.Bytes())
}

type archive struct {
	w       cpio.RecordWriter
	files   *cpio.Recorder
	folders map[string]bool // those that were written
}

func (a *archive) add(t Tree) error {
	at := filepath.Join("/", t.At)[1:]
	if err := a.folder(at); err != nil {
		return err
	}
	return filepath.WalkDir(t.Dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(t.Dir, name)
		if err != nil || rel == "." {
			return err
		}
		rec, err := a.files.GetRecord(name)
		if err != nil {
			return err
		}
		rec.Name = filepath.Join(at, rel)
		if e.IsDir() {
			if a.folders[rec.Name] {
				return nil
			}
			a.folders[rec.Name] = true
		}
		return a.w.WriteRecord(cpio.MakeReproducible(rec))
	})
}

// folder adds a folder and those that it is in.
func (a *archive) folder(name string) error {
	if name == "" || a.folders[name] {
		return nil
	}
	if parent := filepath.Dir(name); parent != "." {
		if err := a.folder(parent); err != nil {
			return err
		}
	}
	a.folders[name] = true
	return a.w.WriteRecord(cpio.MakeReproducible(cpio.Directory(name, 0o755)))
}
