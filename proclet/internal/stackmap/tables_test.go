package stackmap

import (
	"encoding/binary"
	"runtime"
	"testing"
)

// The tables of line numbers are encoded like all others, and the runtime
// tells what it reads in them.
func FuzzValue(f *testing.F) {
	m := lastmoduledatap
	for _, seed := range []uint64{0, 1, 99, 12345, uint64(m.etext-m.text) / 2} {
		f.Add(seed)
	}
	for pc := m.text; pc < m.etext; pc += (m.etext - m.text) / 500 {
		f.Add(uint64(pc - m.text))
	}
	f.Fuzz(func(t *testing.T, off uint64) {
		pc := m.text + uintptr(off)%(m.etext-m.text)
		fn := findfunc(pc)
		if fn._func == nil {
			return // after the last function
		}
		rf := runtime.FuncForPC(fn.entry())
		if rf.Entry() != fn.entry() {
			t.Fatalf("findfunc(%#x) begins at %#x; want %#x", pc, fn.entry(), rf.Entry())
		}
		if (*_func)(pointerOf(rf)).entryOff != fn.entryOff {
			return // its first instruction was inlined, so that the runtime speaks of another function
		}
		_, want := rf.FileLine(pc)
		got, ok := fn.value(fn.pcln, pc)
		if ok != (pc < fn.end()) || ok && want != 0 && int(got) != want {
			t.Errorf("line of %#x = %d, %v; want %d", pc, got, ok, want)
		}
	})
}

func FuzzUvarint(f *testing.F) {
	for _, n := range []uint64{0, 1, 127, 128, 300, 1 << 14, 1<<32 - 1} {
		f.Add(binary.AppendUvarint(nil, n))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		want, n := binary.Uvarint(b)
		if n <= 0 || want >= 1<<32 {
			return // not one of the linker's numbers
		}
		if got, m := uvarint(b); uint64(got) != want || m != n {
			t.Errorf("uvarint(%x) = %d, %d; want %d, %d", b, got, m, want, n)
		}
	})
}
