package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// watches has the kernel tell what happens to files, as programs do that read their
// configuration again when it changes.
func watches() {
	folder := filepath.Join(dir, "watched")
	must(0, os.Mkdir(folder, 0o755))
	at := func(name string) string { return filepath.Join(folder, name) }
	fd := must(unix.InotifyInit1(unix.IN_CLOEXEC))
	wd, err := unix.InotifyAddWatch(fd, folder, unix.IN_ALL_EVENTS)
	say("inotify_add_watch", wd, err)
	for _, c := range []struct {
		path string
		mask uint32
	}{
		{"", 0}, {at("missing"), unix.IN_OPEN}, {"/dev/null", unix.IN_OPEN | unix.IN_ONLYDIR}, {folder, unix.IN_OPEN | unix.IN_MASK_CREATE},
		{folder, unix.IN_MASK_ADD | unix.IN_MASK_CREATE}, {folder, unix.IN_OPEN | unix.IN_MASK_ADD},
	} {
		_, err := unix.InotifyAddWatch(fd, c.path, c.mask)
		say(fmt.Sprintf("inotify_add_watch %q for %#x", filepath.Base(c.path), c.mask), "", err)
	}
	_, err = unix.InotifyAddWatch(1, folder, unix.IN_OPEN)
	say("inotify_add_watch of something else", "", err)
	_, err = unix.InotifyRmWatch(fd, 77)
	say("inotify_rm_watch of nothing", "", err)
	_, err = unix.InotifyInit1(1)
	say("inotify_init1 with odd flags", "", err)

	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"WriteFile", func() error { return os.WriteFile(at("a"), []byte("text"), 0o644) }},
		{"WriteFile again", func() error { return os.WriteFile(at("a"), []byte("other"), 0o644) }},
		{"ReadFile", func() error { _, err := os.ReadFile(at("a")); return err }},
		{"Mkdir", func() error { return os.Mkdir(at("folder"), 0o755) }},
		{"ReadDir", func() error { _, err := os.ReadDir(folder); return err }},
		{"Chmod", func() error { return os.Chmod(at("a"), 0o600) }},
		{"Chtimes", func() error { return os.Chtimes(at("a"), time.Unix(1, 0), time.Unix(2, 0)) }},
		{"Truncate", func() error { return os.Truncate(at("a"), 2) }},
		{"Symlink", func() error { return os.Symlink("a", at("link")) }},
		{"Rename", func() error { return os.Rename(at("a"), at("b")) }},
		{"Rename away", func() error { return os.Rename(at("b"), filepath.Join(dir, "elsewhere")) }},
		{"Rename back", func() error { return os.Rename(filepath.Join(dir, "elsewhere"), at("link")) }},
		{"Mkfifo", func() error { return unix.Mkfifo(at("pipe"), 0o600) }},
		{"open to name it", func() error {
			fd, err := unix.Open(at("link"), unix.O_PATH, 0)
			unix.Close(fd)
			return err
		}},
		{"CreateTemp and Rename", func() error {
			f, err := os.CreateTemp(dir, "new")
			must(f.WriteString("content"))
			f.Close()
			must(0, err)
			return os.Rename(f.Name(), at("link"))
		}},
		{"sendfile", func() error {
			in, out := must(os.Open(at("link"))), must(os.Create(at("copy")))
			defer in.Close()
			defer out.Close()
			_, err := unix.Sendfile(int(out.Fd()), int(in.Fd()), nil, 100)
			return err
		}},
		{"copy_file_range", func() error {
			in, out := must(os.Open(at("link"))), must(os.OpenFile(at("copy"), os.O_RDWR, 0))
			defer in.Close()
			defer out.Close()
			_, err := unix.CopyFileRange(int(in.Fd()), nil, int(out.Fd()), nil, 100, 0)
			return err
		}},
		{"RemoveAll of what is in it", func() error {
			for _, name := range []string{"copy", "folder", "link", "pipe"} {
				must(0, os.Remove(at(name)))
			}
			return nil
		}},
	} {
		say(step.name, "", step.do())
		printEvents(fd)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	say("FIONREAD", n, err)
	go func() {
		time.Sleep(2 * time.Millisecond)
		os.Mkdir(at("late"), 0o755)
	}()
	b := make([]byte, 100)
	n, err = untilDone(func() (int, error) { return unix.Read(fd, b) })
	say("a read that waits", n, err)
	must(0, os.Remove(at("late")))
	must(0, os.Remove(folder))
	n, err = unix.Read(fd, b[:20])
	say("a read with little room", n, err)
	printEvents(fd)
	say("inotify_rm_watch", "", errnoOf(unix.SYS_INOTIFY_RM_WATCH, uintptr(fd), uintptr(wd), 0))
	unix.Close(fd)
}

// printEvents prints the events that there are.
func printEvents(fd int) {
	cookies := map[uint32]int{0: 0}
	for {
		n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		if err != nil || n == 0 {
			return
		}
		b := make([]byte, n)
		b = b[:must(unix.Read(fd, b))]
		for len(b) > 0 {
			word := func(k int) uint32 { return binary.NativeEndian.Uint32(b[4*k:]) }
			if _, known := cookies[word(2)]; !known {
				cookies[word(2)] = len(cookies)
			}
			size := unix.SizeofInotifyEvent + word(3)
			name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:size], []byte{0})
			if len(name) > 3 && string(name[:3]) == "new" {
				name = name[:3]
			}
			fmt.Printf("  event %d %#x %d %q\n", word(0), word(1), cookies[word(2)], name)
			b = b[size:]
		}
	}
}
