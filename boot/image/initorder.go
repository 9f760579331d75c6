package image

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
)

// The go command initializes the packages of a program in the order of their paths,
// each one behind those that it imports. So a package of the program whose init
// opens a socket may come before the one that brings sockets. The writer puts the kernel's packages, and
// all that they import, in front of the others. That is an order which the
// imports allow, too: what moves takes along all that it has to stand behind.

// initOrderSymbol is the linker's list of the addresses of the packages' init tasks
// (cmd/link/internal/ld/inittask.go), each of which has a symbol itself.
const (
	initOrderSymbol = "go:main.inittasks"
	initTaskSuffix  = "..inittask"
)

// closure lists the packages that parts are linked with in a program, themselves included. list has the
// arguments of go list by which it sees the program as it is built.
func (opt *Options) closure(ctx context.Context, environment, list, parts []string) (map[string]bool, error) {
	out, err := opt.runGo(ctx, environment, append([]string{"list", "-deps", "-json=ImportPath,Deps"}, list...)...)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p program
		switch err := dec.Decode(&p); {
		case err == io.EOF:
			return all, nil
		case err != nil:
			return nil, err
		case slices.Contains(parts, pathOf(p.ImportPath)):
			for _, d := range append(p.Deps, p.ImportPath) {
				all[pathOf(d)] = true
			}
		}
	}
}

// pathOf is the path of a package in a list of go list, where "net [net.test]" is net built
// for a test.
func pathOf(listed string) string {
	p, _, _ := strings.Cut(listed, " ")
	return p
}

// initOrder is where the program has the order, and what stands in it.
type initOrder struct {
	at, size uint64
	tasks    map[uint64]string // package by address
}

func (o *initOrder) find(s elf.Symbol) {
	if s.Name == initOrderSymbol {
		o.at, o.size = s.Value, s.Size
	} else if name, ok := strings.CutSuffix(s.Name, initTaskSuffix); ok {
		// Symbols have the dots in the last element of a path, and other odd
		// characters, as in an URL.
		if p, err := url.PathUnescape(name); err == nil {
			o.tasks[s.Value] = p
		}
	}
}

// initialize puts packages in front of the others.
func (f *linkedFile) initialize(first map[string]bool) error {
	b, err := f.bytes(f.inits.at, f.inits.size)
	if err != nil || len(b) == 0 || len(b)%8 != 0 {
		return errors.Join(errors.New("the order of the packages' initialization is not where it should be"), err)
	}
	var front, back []uint64
	for at := 0; at < len(b); at += 8 {
		task := binary.LittleEndian.Uint64(b[at:])
		switch name, known := f.inits.tasks[task]; {
		case !known:
			return fmt.Errorf("the packages' initialization has a task at %#x that is nobody's", task)
		case first[name]:
			front = append(front, task)
		default:
			back = append(back, task)
		}
	}
	for i, task := range append(front, back...) {
		binary.LittleEndian.PutUint64(b[8*i:], task)
	}
	return nil
}

// bytes is a piece of the file's data.
func (f *linkedFile) bytes(addr, size uint64) ([]byte, error) {
	if have := uint64(len(f.data)); addr < f.start || addr-f.start > have || size > have-(addr-f.start) {
		return nil, fmt.Errorf("%d bytes at %#x are not in the file", size, addr)
	}
	return f.data[addr-f.start:][:size], nil
}
