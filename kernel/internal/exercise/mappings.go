package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"unsafe"
)

// mappings maps files as databases do. Shared mappings and the calls of files
// show the same bytes at any time.
func mappings([]string) error {
	dir, err := os.MkdirTemp("", "mappings-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		return err
	}
	defer f.Close()
	for _, try := range []struct {
		name string
		do   func(*os.File) error
	}{
		{"coherent", coherentMapping}, {"private", privateMapping}, {"end of file", mappedEnd},
		{"without the file", orphanMapping}, {"onto itself", selfMapping}, {"refusals", refusedMappings},
	} {
		if err := f.Truncate(0); err != nil {
			return err
		}
		if err := try.do(f); err != nil {
			return fmt.Errorf("%s: %w", try.name, err)
		}
	}
	return nil
}

const readWrite = syscall.PROT_READ | syscall.PROT_WRITE

func mapShared(f *os.File, offset int64, n int) ([]byte, error) {
	return syscall.Mmap(int(f.Fd()), offset, n, readWrite, syscall.MAP_SHARED)
}

func same(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s: %q, want %q", what, got, want)
	}
	return nil
}

// coherentMapping maps more than the file has, lets it grow below the mapping, and
// looks from both sides.
func coherentMapping(f *os.File) error {
	m, err := mapShared(f, 0, 1<<30)
	if err != nil {
		return err
	}
	defer syscall.Munmap(m)
	second := make([]byte, 3)
	for _, at := range []int64{0, 4095, 70000, 5 << 20} {
		if _, err := f.WriteAt([]byte("abcdef"), at); err != nil {
			return err
		}
		if err := same("written, read in the mapping", m[at:at+6], []byte("abcdef")); err != nil {
			return err
		}
		copy(m[at+2:], "xyz")
		if _, err := f.ReadAt(second, at+2); err != nil {
			return err
		}
		if err := same("mapping written, read", second, []byte("xyz")); err != nil {
			return err
		}
	}
	other, err := mapShared(f, 4096, 4096)
	if err != nil {
		return err
	}
	defer syscall.Munmap(other)
	other[7] = 'Q'
	if m[4096+7] != 'Q' || m[1<<20] != 0 {
		return fmt.Errorf("two mappings of a page differ, or a hole is not zero")
	}
	if _, _, e := syscall.Syscall(syscall.SYS_MSYNC, uintptr(unsafe.Pointer(&m[0])), 1<<20, 4); e != 0 {
		return fmt.Errorf("msync: %v", e)
	}
	return nil
}

// privateMapping keeps what it writes to itself.
func privateMapping(f *os.File) error {
	if _, err := f.WriteAt(bytes.Repeat([]byte("a"), 8192), 0); err != nil {
		return err
	}
	m, err := syscall.Mmap(int(f.Fd()), 0, 8192, readWrite, syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer syscall.Munmap(m)
	m[1], m[5000] = 'b', 'b'
	got := make([]byte, 3)
	if _, err := f.ReadAt(got, 0); err != nil {
		return err
	}
	if err := same("the file", got, []byte("aaa")); err != nil {
		return err
	}
	return same("the mapping", m[:3], []byte("aba"))
}

// mappedEnd touches what is behind the end of a file.
func mappedEnd(f *os.File) error {
	if err := f.Truncate(3 * 4096); err != nil {
		return err
	}
	m, err := mapShared(f, 0, 4*4096)
	if err != nil {
		return err
	}
	defer syscall.Munmap(m)
	m[0], m[4096], m[2*4096] = 1, 2, 3
	if err := wantFault(&m[3*4096]); err != nil {
		return err
	}
	if err := f.Truncate(4096 + 10); err != nil {
		return err
	}
	if m[0] != 1 || m[4096] != 2 {
		return errors.New("cutting a file off changed what is before the cut")
	}
	if err := wantFault(&m[2*4096]); err != nil {
		return err
	}
	if err := f.Truncate(4 * 4096); err != nil {
		return err
	}
	if m[2*4096] != 0 || m[4*4096-1] != 0 {
		return errors.New("what a file was cut off by came back")
	}
	return nil
}

// wantFault reads a byte that is not there, and wants the signal for it.
func wantFault(p *byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r, _ := recover().(interface{ Addr() uintptr })
		if r == nil || r.Addr() != uintptr(unsafe.Pointer(p)) {
			err = fmt.Errorf("reading behind the end: %v", r)
		}
	}()
	return fmt.Errorf("behind the end there is %d", *p)
}

// orphanMapping outlives the descriptor and the name, and gives all memory back.
func orphanMapping(f *os.File) error {
	g, err := os.Create(f.Name() + "2")
	if err != nil {
		return err
	}
	if err := g.Truncate(1 << 20); err != nil {
		return err
	}
	m, err := mapShared(g, 0, 1<<20)
	if err != nil {
		return err
	}
	if err := errors.Join(g.Close(), os.Remove(g.Name())); err != nil {
		return err
	}
	for i := range m {
		m[i] = byte(i)
	}
	for i := range m {
		if m[i] != byte(i) {
			return fmt.Errorf("byte %d of a file without a name is %d", i, m[i])
		}
	}
	return syscall.Munmap(m)
}

// selfMapping has a file read into, and written from, its own mapping: the kernel
// touches pages that it has to bring itself.
func selfMapping(f *os.File) error {
	if err := f.Truncate(4 * 4096); err != nil {
		return err
	}
	m, err := mapShared(f, 0, 6*4096)
	if err != nil {
		return err
	}
	defer syscall.Munmap(m)
	if _, err := f.WriteAt([]byte("hello"), 0); err != nil {
		return err
	}
	if _, err := f.ReadAt(m[4096:4096+5], 0); err != nil {
		return err
	}
	if _, err := f.WriteAt(m[4096:4096+5], 2*4096+4090); err != nil {
		return err
	}
	if err := same("a file copied through its mapping", m[2*4096+4090:2*4096+4095], []byte("hello")); err != nil {
		return err
	}
	if _, err := f.ReadAt(m[5*4096:5*4096+5], 0); !errors.Is(err, syscall.EFAULT) {
		return fmt.Errorf("reading to behind the end of a mapped file: %v, want EFAULT", err)
	}
	return nil
}

// refusedMappings makes mistakes.
func refusedMappings(f *os.File) error {
	r, err := os.Open(f.Name())
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(f.Name(), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer w.Close()
	dir, err := os.Open(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	defer dir.Close()
	const read, shared, private = syscall.PROT_READ, syscall.MAP_SHARED, syscall.MAP_PRIVATE
	for _, c := range []struct {
		name        string
		fd          uintptr
		prot, flags int
		offset      int64
		want        error
	}{
		{"writing what was opened for reading", r.Fd(), readWrite, shared, 0, syscall.EACCES},
		{"reading what was opened for writing", w.Fd(), read, shared, 0, syscall.EACCES},
		{"a folder", dir.Fd(), read, private, 0, syscall.ENODEV},
		{"no file", 9999, read, private, 0, syscall.EBADF},
		{"an offset inside a page", f.Fd(), read, private, 100, syscall.EINVAL},
		{"neither shared nor private", f.Fd(), read, 0, 0, syscall.EINVAL},
		{"a private copy of what was opened for reading", r.Fd(), readWrite, private, 0, nil},
	} {
		m, err := syscall.Mmap(int(c.fd), c.offset, 4096, c.prot, c.flags)
		if err == nil {
			syscall.Munmap(m)
		}
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			return fmt.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	m, err := syscall.Mmap(int(r.Fd()), 0, 4096, read, shared)
	if err != nil {
		return err
	}
	defer syscall.Munmap(m)
	if err := syscall.Mprotect(m, readWrite); err != syscall.EACCES {
		return fmt.Errorf("making it writable afterwards: %v, want EACCES", err)
	}
	return nil
}
