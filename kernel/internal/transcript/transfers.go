package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// transfers moves bytes from every kind of descriptor to every kind.
func transfers() {
	const n = 7
	for _, call := range []struct {
		name string
		make func(in, out int) (int, error)
	}{
		{"sendfile", func(in, out int) (int, error) { return unix.Sendfile(out, in, nil, n) }},
		{"sendfile from 3", func(in, out int) (int, error) { return unix.Sendfile(out, in, offset(3), n) }},
		{"splice", func(in, out int) (int, error) { return splice(in, nil, out, nil, n) }},
		{"splice from 3", func(in, out int) (int, error) { return splice(in, offset(3), out, nil, n) }},
		{"splice to 3", func(in, out int) (int, error) { return splice(in, nil, out, offset(3), n) }},
		{"tee", func(in, out int) (int, error) {
			r, err := unix.Tee(in, out, n, unix.SPLICE_F_NONBLOCK)
			return int(r), err
		}},
		{"copy_file_range", func(in, out int) (int, error) { return unix.CopyFileRange(in, nil, out, nil, n, 0) }},
		{"copy_file_range from 3 to 30", func(in, out int) (int, error) {
			return unix.CopyFileRange(in, offset(3), out, offset(30), n, 0)
		}},
	} {
		for _, from := range kinds {
			for _, to := range kinds {
				in, out := from.make(), to.make()
				r, err := call.make(in.fd, out.fd)
				say(fmt.Sprintf("%s(%s; %s), then at %s and %s", call.name, from.name, to.name, position(in.fd), position(out.fd)), r, err)
				in.close()
				out.close()
			}
		}
	}
}

func offset(at int64) *int64 { return &at }

func splice(in int, inOffset *int64, out int, outOffset *int64, n int) (int, error) {
	r, err := unix.Splice(in, inOffset, out, outOffset, n, unix.SPLICE_F_NONBLOCK)
	return int(r), err
}

// position is where a descriptor stands.
func position(fd int) string {
	at, err := unix.Seek(fd, 0, 1)
	return fmt.Sprint(at, failure(err))
}

// overlaps moves bytes at the edges of files and pipes, and from a file to itself.
func overlaps() {
	name := filepath.Join(dir, "self")
	for _, c := range []struct{ from, to, n int64 }{
		{0, 0, 5}, {0, 5, 5}, {0, 4, 5}, {5, 0, 5}, {4, 0, 5}, {0, 26, 26}, {20, 26, 100}, {20, 25, 100}, {26, 0, 1},
		{30, 0, 1}, {0, 40, 3}, {0, 0, 0}, {-1, 0, 1}, {0, -1, 1}, {0, 3, -1},
	} {
		if err := os.WriteFile(name, []byte("abcdefghijklmnopqrstuvwxyz"), 0o644); err != nil {
			panic(err)
		}
		a, b := must(unix.Open(name, unix.O_RDWR, 0)), must(unix.Open(name, unix.O_RDWR, 0))
		r, err := unix.CopyFileRange(a, &c.from, b, &c.to, int(c.n), 0)
		say(fmt.Sprint("copy_file_range ", c), fmt.Sprintf("%d %q", r, must(os.ReadFile(name))), err)
		unix.Close(a)
		unix.Close(b)
	}
	fd := file(unix.O_RDWR).fd
	r, w := pipe("")
	for _, at := range []int64{0, 10, int64(len(content)), 100, -1} {
		for _, n := range []int{0, 3, 100, -1} {
			from := at
			moved, err := unix.Sendfile(w, fd, &from, n)
			say(fmt.Sprintf("sendfile(%d, %d)", at, n), fmt.Sprint(moved, from), err)
			from = at
			moved, err = splice(fd, &from, w, nil, n)
			say(fmt.Sprintf("splice(%d, %d)", at, n), fmt.Sprint(moved, from), err)
		}
	}
	got := make([]byte, 500)
	n, err := unix.Read(r, got)
	say("what came through", fmt.Sprintf("%q", got[:max(n, 0)]), err)
	_, err = unix.CopyFileRange(fd, nil, fd, nil, 1, 1)
	say("copy_file_range with flags", "", err)
	_, err = unix.Splice(fd, nil, w, nil, 1, 16)
	say("splice with flags", "", err)

	// A pipe as two see it.
	must(unix.Write(w, []byte("0123456789")))
	r2, w2 := pipe("")
	copied, err := unix.Tee(r, w2, 4, 0)
	say("tee of 4", copied, err)
	copied, err = unix.Tee(r, w2, 100, 0)
	say("tee of 100", copied, err)
	n, err = splice(r, nil, w2, nil, 100)
	say("splice of 100", n, err)
	n, err = unix.Read(r2, got)
	say("what came through", fmt.Sprintf("%q", got[:max(n, 0)]), err)
}
