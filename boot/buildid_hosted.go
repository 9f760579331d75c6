//go:build !metal

package boot

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"io"
	"sync"
)

// BuildID returns the identity of the program: a SHA-256 over what was loaded
// of it. Machines with equal identities run the same bytes, so that an address
// in one of them means the same in the other. It panics if the process cannot
// read its own executable, without which it has no identity to show.
func BuildID() [32]byte { return hostedID() }

var hostedID = sync.OnceValue(func() [32]byte {
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		panic("boot: build identity: " + err.Error())
	}
	defer f.Close()
	h := sha256.New()
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		binary.Write(h, binary.LittleEndian, []uint64{p.Vaddr, p.Filesz, p.Memsz})
		if _, err := io.Copy(h, p.Open()); err != nil {
			panic("boot: build identity: " + err.Error())
		}
	}
	return [32]byte(h.Sum(nil))
})
