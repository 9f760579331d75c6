package image

import (
	"debug/elf"
	"testing"
)

// TestCut takes variables off the end of a program of 0x1000 bytes of data at
// 0x400000 and zeroed data up to 0x800000.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		name        string
		value, size uint64
		want        uint64 // end
	}{
		{"large and last", 0x600010, 0x1ffff0, 0x601000},
		{"large and last, on a page", 0x600000, 0x200000, 0x600000},
		{"not last", 0x600010, 0x1fffe0, 0x800000},
		{"too small", 0x7f0000, 0x10000, 0x800000},
		{"not zeroed", 0x400800, 0x3ff800, 0x401000},
		{"the data, too", 0x400000, 0x400000, 0x800000},
	} {
		f := &linkedFile{start: 0x400000, data: make([]byte, 0x1000), end: 0x800000, limit: 0x800000,
			segments: []elf.ProgHeader{{Vaddr: 0x400000, Filesz: 0x1000, Memsz: 0x400000}}}
		f.cut(elf.Symbol{Value: c.value, Size: c.size})
		if f.end != c.want || f.limit != 0x800000 || f.segments[0].Vaddr+f.segments[0].Memsz != c.want {
			t.Errorf("%s: end %#x, limit %#x, segment of %#x; want %#x", c.name, f.end, f.limit, f.segments[0].Memsz, c.want)
		}
	}
}
