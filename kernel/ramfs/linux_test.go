package ramfs

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// twin makes every call on a folder of Linux's tmpfs and here, and compares.
type twin struct {
	t     *testing.T
	host  string // the folder
	trace []string
	a, b  Walk
}

func (w *twin) real(path string) string { return w.host + "/" + path }

func (w *twin) walk(to *Walk, path string, mode Mode) syscall.Errno {
	return to.Go(Root(), []byte("/"+path), mode)
}

func (w *twin) same(what string, got syscall.Errno, err error) bool {
	w.t.Helper()
	what = strings.NewReplacer(strings.Repeat("n", 256), "N256", strings.Repeat("n", 255), "N255").Replace(what)
	want := syscall.Errno(0)
	if err != nil {
		want = err.(syscall.Errno)
	}
	w.trace = append(w.trace, fmt.Sprintf("%s: %v", what, want))
	if got != want {
		w.t.Fatalf("%s: %d %v, Linux says %d %v; what came before:\n%s", what, got, got, want, want,
			strings.Join(w.trace[max(0, len(w.trace)-40):], "\n"))
	}
	return want == 0
}

func (w *twin) mkdir(p string) {
	e := w.walk(&w.a, p, Parent)
	if e == 0 {
		e = w.a.MakeFolder(0o755)
	}
	w.same("mkdir "+p, e, syscall.Mkdir(w.real(p), 0o755))
}

func (w *twin) unlink(p string) {
	e := w.walk(&w.a, p, Parent)
	if e == 0 {
		e = w.a.Unlink()
	}
	w.same("unlink "+p, e, syscall.Unlink(w.real(p)))
}

func (w *twin) rmdir(p string) {
	e := w.walk(&w.a, p, Parent)
	if e == 0 {
		e = w.a.RemoveFolder()
	}
	w.same("rmdir "+p, e, syscall.Rmdir(w.real(p)))
}

func (w *twin) symlink(target, p string) {
	e := w.walk(&w.a, p, Parent)
	if e == 0 {
		e = w.a.MakeLink([]byte(target))
	}
	w.same("symlink "+target+" "+p, e, syscall.Symlink(target, w.real(p)))
}

func (w *twin) link(old, p string) {
	e := w.walk(&w.b, old, NoFollow)
	if e == 0 && w.b.Node == 0 {
		e = syscall.ENOENT
	}
	if e == 0 {
		if e = w.walk(&w.a, p, Parent); e == 0 {
			e = w.a.LinkTo(w.b.Node)
		}
	}
	w.same("link "+old+" "+p, e, syscall.Link(w.real(old), w.real(p)))
}

func (w *twin) rename(old, p string) {
	e := w.walk(&w.a, old, Parent)
	if e == 0 {
		e = w.walk(&w.b, p, Parent)
	}
	if e == 0 {
		e = w.a.Rename(&w.b, 0)
	}
	w.same("rename "+old+" "+p, e, syscall.Rename(w.real(old), w.real(p)))
}

// put opens a file, as with O_CREAT, and writes to it.
func (w *twin) put(p string, at int64, data []byte) {
	e := w.walk(&w.a, p, Create)
	n := w.a.Node
	switch {
	case e != 0:
	case n == 0:
		n, e = w.a.Make(syscall.S_IFREG | 0o644)
	case n.Kind() == syscall.S_IFDIR:
		e = syscall.EISDIR
	}
	fd, err := syscall.Open(w.real(p), syscall.O_RDWR|syscall.O_CREAT, 0o644)
	if !w.same("open "+p, e, err) {
		return
	}
	defer syscall.Close(fd)
	wrote, e := n.Write(at, uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)))
	want, err := syscall.Pwrite(fd, data, at)
	if w.same(fmt.Sprintf("write %s %d+%d", p, at, len(data)), e, err) && int(wrote) != want {
		w.t.Fatalf("wrote %d, Linux %d", wrote, want)
	}
}

func (w *twin) truncate(p string, size int64) {
	e := w.walk(&w.a, p, Follow)
	switch {
	case e != 0:
	case w.a.Node == 0:
		e = syscall.ENOENT
	case w.a.Node.Kind() == syscall.S_IFDIR:
		e = syscall.EISDIR
	default:
		e = w.a.Node.Truncate(size)
	}
	w.same(fmt.Sprintf("truncate %s %d", p, size), e, syscall.Truncate(w.real(p), size))
}

// compare compares a tree, of which every folder is read.
func (w *twin) compare(p string) {
	w.t.Helper()
	var here, there syscall.Stat_t
	if e := w.walk(&w.a, p, NoFollow); !w.same("lstat "+p, e, syscall.Lstat(w.real(p), &there)) {
		return
	}
	n := w.a.Node
	n.Stat(&here)
	folder := here.Mode&syscall.S_IFMT == syscall.S_IFDIR
	if here.Mode != there.Mode && p != "" || !folder && here.Size != there.Size || here.Nlink != there.Nlink {
		w.t.Fatalf("%s: mode %o, %d bytes, %d links; Linux: %o, %d, %d; what came before:\n%s", p, here.Mode, here.Size, here.Nlink,
			there.Mode, there.Size, there.Nlink, strings.Join(w.trace[max(0, len(w.trace)-40):], "\n"))
	}
	switch here.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		got := make([]byte, here.Size+1)
		read, e := n.Read(0, uintptr(unsafe.Pointer(&got[0])), uintptr(len(got)))
		want, err := os.ReadFile(w.real(p))
		if e != 0 || err != nil || !bytes.Equal(got[:read], want) {
			w.t.Fatalf("%s has other bytes than Linux's: %v, %v", p, e, err)
		}
		if there.Blocks < here.Blocks {
			w.t.Fatalf("%s has %d blocks, Linux %d", p, here.Blocks, there.Blocks)
		}
	case syscall.S_IFLNK:
		if want, _ := os.Readlink(w.real(p)); string(n.Target()) != want {
			w.t.Fatalf("%s leads to %q, Linux's to %q", p, n.Target(), want)
		}
	case syscall.S_IFDIR:
		var names []string
		for c := int64(0); ; {
			e, ok := n.Next(c)
			if !ok {
				break
			}
			if c = e.Cookie; string(e.Name) != "." && string(e.Name) != ".." {
				names = append(names, string(e.Name))
			}
		}
		slices.Sort(names)
		entries, err := os.ReadDir(w.real(p))
		if err != nil {
			w.t.Fatal(err)
		}
		var want []string
		for _, e := range entries {
			want = append(want, e.Name())
		}
		if !slices.Equal(names, want) {
			w.t.Fatalf("%s has %q, Linux's %q", p, names, want)
		}
		for _, name := range names {
			w.compare(filepath.Join(p, name))
		}
	}
}

// TestAgainstLinux makes random calls on the same paths here and on a file system of
// Linux, whose every answer counts.
func TestAgainstLinux(t *testing.T) {
	const shm = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(shm, &fs); err != nil || fs.Type != 0x01021994 {
		t.Skip("there is no tmpfs at /dev/shm to compare with")
	}
	if os.Getuid() != 0 {
		t.Log("not root: the owner's permissions are what counts, and all of them are there")
	}
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 5 {
		host, err := os.MkdirTemp(shm, "ramfs-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(host)
		if err := os.Chmod(host, 0o755); err != nil {
			t.Fatal(err)
		}
		startTest(t, 4096)
		w := &twin{t: t, host: host}
		element := func() string {
			return []string{"a", "b", "c", "d", "e", ".", "..", strings.Repeat("n", 255), strings.Repeat("n", 256)}[min(8, int(rnd.ExpFloat64()*2.5))]
		}
		// A path must not climb out of the folder, which on Linux is not the
		// root.
		path := func() string {
			for {
				var b strings.Builder
				depth, lowest := 0, 0
				for i := range 1 + rnd.IntN(4) {
					if i > 0 {
						b.WriteString("//"[:1+rnd.IntN(8)/7])
					}
					e := element()
					b.WriteString(e)
					switch e {
					case "..":
						depth--
					case ".":
					default:
						depth++
					}
					lowest = min(lowest, depth)
				}
				if rnd.IntN(8) == 0 {
					b.WriteByte('/')
				}
				if lowest >= 0 && !strings.Contains(b.String(), "..") || rnd.IntN(4) == 0 && lowest >= 0 && !w.anyLink() {
					return b.String()
				}
			}
		}
		for step := range 1500 {
			switch p := path(); rnd.IntN(10) {
			case 0, 1:
				w.mkdir(p)
			case 2, 3:
				data := bytes.Repeat([]byte{byte(step)}, rnd.IntN(9000))
				w.put(p, int64(rnd.IntN(3))*int64(rnd.IntN(3*PageSize))*int64(1+rnd.IntN(100)), data)
			case 4:
				w.unlink(p)
			case 5:
				w.rmdir(p)
			case 6:
				w.symlink([]string{"a", "b/c", "./d", "a/", "c"}[rnd.IntN(5)], p)
			case 7:
				w.link(path(), p)
			case 8:
				w.rename(path(), p)
			case 9:
				w.truncate(p, int64(rnd.IntN(4*PageSize)))
			}
			if step%100 == 99 {
				w.compare("")
			}
		}
		w.compare("")
		w.removeAll(Root())
		if u := Used(); u.Nodes != 1 || int(u.Pages) != pageSource.out || u.Pages != 1 {
			t.Errorf("of an empty file system %+v are left, and %d pages", u, pageSource.out)
		}
	}
}

// anyLink reports whether there are symbolic links, through which ".." could leave
// the folder.
func (w *twin) anyLink() bool {
	found := false
	filepath.WalkDir(w.host, func(_ string, e os.DirEntry, _ error) error {
		found = found || e != nil && e.Type()&os.ModeSymlink != 0
		return nil
	})
	return found
}

// removeAll removes what is in a folder.
func (w *twin) removeAll(n Node) {
	for {
		e, ok := n.Next(2)
		if !ok {
			return
		}
		if err := w.a.Go(n, e.Name, Parent); err != 0 {
			w.t.Fatal(err)
		}
		if e.Node.Kind() != syscall.S_IFDIR {
			if err := w.a.Unlink(); err != 0 {
				w.t.Fatal(err)
			}
			continue
		}
		w.removeAll(e.Node)
		if err := w.a.Go(n, e.Name, Parent); err != 0 {
			w.t.Fatal(err)
		}
		if err := w.a.RemoveFolder(); err != 0 {
			w.t.Fatal(err)
		}
	}
}
