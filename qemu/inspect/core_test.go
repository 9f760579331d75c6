package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// coreFile makes a core as QEMU does: a note for one processor, and physical memory
// from 0 on with page tables that map one page.
func coreFile() []byte {
	const headers = 64 + 2*56
	le := binary.LittleEndian
	state := processorState{Version: 1, IP: 0x401000, SP: 0x8000, BP: 0x8010}
	state.GS.Base, state.CR[3] = 0x5000, 0x1000
	var note bytes.Buffer
	binary.Write(&note, le, []uint32{5, uint32(binary.Size(state)), 0})
	note.WriteString("QEMU\x00\x00\x00\x00")
	binary.Write(&note, le, state)
	memory := make([]byte, 0x6000)
	for i, entry := range []uint64{0x2000, 0x3000, 0x4000, 0x5000} {
		at := 0x1000 * (i + 1)
		le.PutUint64(memory[at+8*[4]int{0, 0, 2, 1}[i]:], entry|entryPresent)
	}
	copy(memory[0x5000:], "mapped at 0x401000")
	var b bytes.Buffer
	binary.Write(&b, le, elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_CORE), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	})
	binary.Write(&b, le, elf.Prog64{Type: uint32(elf.PT_NOTE), Off: headers, Filesz: uint64(note.Len())})
	binary.Write(&b, le, elf.Prog64{Type: uint32(elf.PT_LOAD), Off: headers + uint64(note.Len()), Filesz: uint64(len(memory)), Memsz: uint64(len(memory))})
	b.Write(note.Bytes())
	b.Write(memory)
	return b.Bytes()
}

func openBytes(t *testing.T, b []byte) (*Core, error) {
	path := filepath.Join(t.TempDir(), "core")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return OpenCore(path)
}

func TestCore(t *testing.T) {
	c, err := openBytes(t, coreFile())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if p := c.Processors(); len(p) != 1 || p[0].IP != 0x401000 || p[0].SP != 0x8000 || p[0].BP != 0x8010 || p[0].GS != 0x5000 {
		t.Errorf("processors %+v", p)
	}
	b := make([]byte, 18)
	if _, err := c.ReadAt(b, 0x401000); err != nil || string(b) != "mapped at 0x401000" {
		t.Errorf("memory at 0x401000: %q, %v", b, err)
	}
	for _, at := range []int64{0x400000, 0x402000, 0x401FFF, 1 << 40} { // the third begins in the page and ends outside
		if _, err := c.ReadAt(b, at); !errors.Is(err, ErrUnmapped) {
			t.Errorf("memory at %#x: %v, want ErrUnmapped", at, err)
		}
	}
	if _, err := openBytes(t, []byte("no core")); !errors.Is(err, ErrNotCore) {
		t.Errorf("a file that is no core: %v, want ErrNotCore", err)
	}
}

// FuzzCore opens files that are broken, and reads from them.
func FuzzCore(f *testing.F) {
	whole := coreFile()
	f.Add(whole)
	f.Add(whole[:300])
	f.Add(append(bytes.Clone(whole[:180]), bytes.Repeat([]byte{0xFF}, 800)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := openBytes(t, b)
		if err != nil {
			return
		}
		defer c.Close()
		c.ReadAt(make([]byte, 9000), 0x400800)
	})
}
