package acpi

import (
	"encoding/binary"
	"slices"
	"testing"
)

// firmware is physical memory from address base with tables in it.
type firmware struct{ bytes []byte }

const base = 0xE0000

func (f *firmware) memory(addr, size uint64) []byte {
	if addr < base || size > uint64(len(f.bytes)) || addr-base > uint64(len(f.bytes))-size {
		return nil
	}
	return f.bytes[addr-base : addr-base+size]
}

// add appends b on a 16-byte boundary and returns its address.
func (f *firmware) add(b []byte) uint64 {
	f.bytes = append(f.bytes, make([]byte, -len(f.bytes)&15)...)
	f.bytes = append(f.bytes, b...)
	return base + uint64(len(f.bytes)-len(b))
}

// encode writes fixed-size values one after the other.
func encode(values ...any) []byte {
	var b []byte
	for _, v := range values {
		var err error
		if b, err = binary.Append(b, binary.LittleEndian, v); err != nil {
			panic(err)
		}
	}
	return b
}

// sum makes b[at] such that all of b adds up to zero.
func sum(b []byte, at int) []byte {
	b[at] = 0
	var s byte
	for _, c := range b {
		s += c
	}
	b[at] = -s
	return b
}

// table returns a table with a header.
func table(signature string, body ...any) []byte {
	rest := encode(body...)
	b := make([]byte, headerSize, headerSize+len(rest))
	copy(b, signature)
	binary.LittleEndian.PutUint32(b[4:], uint32(headerSize+len(rest)))
	return sum(append(b, rest...), 9)
}

// rsdp adds a root pointer of revision 0 or 2, with all tables below it.
func (f *firmware) rsdp(revision byte, tables ...[]byte) uint64 {
	var addrs64 []uint64
	var addrs32 []uint32
	for _, t := range tables {
		at := f.add(t)
		addrs64, addrs32 = append(addrs64, at), append(addrs32, uint32(at))
	}
	rsdt, xsdt := f.add(table("RSDT", addrs32)), uint64(0)
	b := encode([]byte("RSD PTR \x00nuosnu"), revision, uint32(rsdt))
	if revision >= 2 {
		xsdt = f.add(table("XSDT", addrs64))
	}
	b = sum(b, 8)
	if revision >= 2 {
		b = sum(encode(b, uint32(36), xsdt, uint32(0)), 32)
	}
	return f.add(b)
}

// madt has two processors as both APIC and x2APIC, one more as x2APIC, one
// that is disabled, and one entry of a type that is not read.
func madt() []byte {
	return table("APIC", uint32(0xFEE00000), uint32(1),
		[]byte{0, 8, 7, 0, 1, 0, 0, 0}, []byte{0, 8, 8, 1, 1, 0, 0, 0}, []byte{0, 8, 9, 2, 0, 0, 0, 0},
		[]byte{9, 16, 0, 0}, uint32(1), uint32(1), uint32(8),
		[]byte{9, 16, 0, 0}, uint32(300), uint32(1), uint32(42),
		[]byte{1, 12, 3, 0}, uint32(0xFEC00000), uint32(24),
		[]byte{2, 10, 0, 9}, uint32(20), uint16(0xD),
		[]byte{4, 6, 0xFF, 0, 0, 1},
		[]byte{5, 12, 0, 0}, uint64(0x1_FEE0_0000))
}

func mcfg() []byte {
	return table("MCFG", uint64(0), uint64(0xB0000000), uint16(0), uint8(0), uint8(255), uint32(0))
}

func fadt(flags uint32) []byte {
	b := make([]byte, 276-headerSize)
	binary.LittleEndian.PutUint32(b[76-headerSize:], 0x608)
	b[91-headerSize] = 4
	binary.LittleEndian.PutUint32(b[112-headerSize:], flags)
	return table("FACP", b)
}

func hpet(space uint8) []byte {
	return table("HPET", uint32(0x8086A201), []byte{space, 64, 0, 0}, uint64(0xFED00000), uint8(0), uint16(100), uint8(0))
}

func TestParse(t *testing.T) {
	for _, revision := range []byte{0, 2} {
		var f firmware
		root := f.rsdp(revision, fadt(1<<8), table("SSDT", uint32(1)), madt(), mcfg(), hpet(0))
		var got Tables
		Parse(&got, f.memory, root)
		if !got.Present || got.Corrupt != 0 || got.Dropped != 0 {
			t.Errorf("revision %d: present %v, %d corrupt, %d dropped; want true, 0, 0", revision, got.Present, got.Corrupt, got.Dropped)
		}
		if want := []Processor{{0, 7}, {1, 8}, {300, 42}}; !slices.Equal(got.Processors[:got.NumProcessors], want) {
			t.Errorf("processors %v, want %v", got.Processors[:got.NumProcessors], want)
		}
		if want := []IOAPIC{{3, 0xFEC00000, 24}}; !slices.Equal(got.IOAPICs[:got.NumIOAPICs], want) {
			t.Errorf("IOAPICs %v, want %v", got.IOAPICs[:got.NumIOAPICs], want)
		}
		if want := []Override{{9, 20, 0xD}}; !slices.Equal(got.Overrides[:got.NumOverrides], want) {
			t.Errorf("overrides %v, want %v", got.Overrides[:got.NumOverrides], want)
		}
		if want := []ECAM{{0xB0000000, 0, 0, 255}}; !slices.Equal(got.ECAMs[:got.NumECAMs], want) {
			t.Errorf("ECAMs %v, want %v", got.ECAMs[:got.NumECAMs], want)
		}
		if got.HPET != 0xFED00000 {
			t.Errorf("HPET at %#x", got.HPET)
		}
		if got.LocalAPIC != 0x1_FEE0_0000 || !got.PICs || got.PMTimer != 0x608 || !got.PMTimer32 {
			t.Errorf("local APIC %#x, PICs %v, timer %#x %v", got.LocalAPIC, got.PICs, got.PMTimer, got.PMTimer32)
		}
	}
}

func TestHardwareReduced(t *testing.T) {
	var f firmware
	root := f.rsdp(2, fadt(1<<20))
	var got Tables
	if Parse(&got, f.memory, root); got.PMTimer != 0 || !got.Present {
		t.Errorf("timer at %#x, present %v; want none, true", got.PMTimer, got.Present)
	}
}

// TestHPET has one behind I/O ports, which no machine has, and one that is cut off.
func TestHPET(t *testing.T) {
	for _, c := range []struct {
		hpet    []byte
		corrupt int
	}{{hpet(1), 0}, {table("HPET", make([]byte, 19)), 1}, {table("HPET"), 1}} {
		var f firmware
		root := f.rsdp(2, c.hpet)
		var got Tables
		if Parse(&got, f.memory, root); got.HPET != 0 || got.Corrupt != c.corrupt {
			t.Errorf("HPET at %#x, %d corrupt; want none, %d", got.HPET, got.Corrupt, c.corrupt)
		}
	}
}

func TestNoACPI(t *testing.T) {
	got := Tables{NumProcessors: 3}
	if Parse(&got, (&firmware{}).memory, 0); got != (Tables{}) {
		t.Error("a machine without root pointer has tables")
	}
}

// TestDamage breaks one table at a time: it counts as corrupt, the others are
// read.
func TestDamage(t *testing.T) {
	short := func(b []byte) []byte { return sum(slices.Clone(b[:headerSize+4]), 9) }
	wrongSum := slices.Clone(madt())
	wrongSum[9]++
	long := slices.Clone(madt())
	binary.LittleEndian.PutUint32(long[4:], 0xFFFFFFFF)
	badEntry := slices.Clone(madt())
	badEntry[headerSize+8+1] = 0
	for _, c := range []struct {
		name             string
		madt             []byte
		corrupt, dropped int
	}{
		{"length beyond the table", short(madt()), 1, 0},
		{"checksum", wrongSum, 1, 0},
		{"endless table", long, 1, 0},
		{"entry of length 0", sum(badEntry, 9), 0, 1},
	} {
		var f firmware
		root := f.rsdp(2, c.madt, mcfg())
		var got Tables
		Parse(&got, f.memory, root)
		if got.Corrupt != c.corrupt || got.Dropped != c.dropped || got.NumProcessors != 0 || got.NumECAMs != 1 {
			t.Errorf("%s: %d corrupt, %d dropped, %d processors, %d ECAMs; want %d, %d, 0, 1",
				c.name, got.Corrupt, got.Dropped, got.NumProcessors, got.NumECAMs, c.corrupt, c.dropped)
		}
	}
}

// TestBrokenXSDT falls back to the RSDT, which lists the same tables.
func TestBrokenXSDT(t *testing.T) {
	var f firmware
	root := f.rsdp(2, madt())
	b := f.bytes[root-base:]
	binary.LittleEndian.PutUint64(b[24:], 1<<40)
	sum(b, 32)
	var got Tables
	if Parse(&got, f.memory, root); got.NumProcessors != 3 || got.Corrupt != 1 {
		t.Errorf("%d processors, %d corrupt; want 3, 1", got.NumProcessors, got.Corrupt)
	}
}

func TestCapacities(t *testing.T) {
	var body []any
	body = append(body, uint32(0), uint32(0))
	for i := range uint32(MaxProcessors + 2) {
		body = append(body, []byte{9, 16, 0, 0}, i, uint32(1), i)
	}
	for range MaxIOAPICs + 1 {
		body = append(body, []byte{1, 12, 3, 0}, uint32(1), uint32(0))
	}
	for range MaxOverrides + 3 {
		body = append(body, []byte{2, 10, 0, 9}, uint32(20), uint16(0))
	}
	var f firmware
	root := f.rsdp(2, table("APIC", body...))
	var got Tables
	Parse(&got, f.memory, root)
	if got.NumProcessors != MaxProcessors || got.NumIOAPICs != MaxIOAPICs || got.NumOverrides != MaxOverrides || got.Dropped != 6 {
		t.Errorf("%d processors, %d IOAPICs, %d overrides, %d dropped; want %d, %d, %d, 6",
			got.NumProcessors, got.NumIOAPICs, got.NumOverrides, got.Dropped, MaxProcessors, MaxIOAPICs, MaxOverrides)
	}
}

// FuzzTables gives the MADT, MCFG, FADT and HPET hostile contents under a right
// checksum; FuzzParse gives everything hostile contents.
func FuzzTables(f *testing.F) {
	f.Add(madt()[headerSize:], mcfg()[headerSize:], fadt(0)[headerSize:], hpet(0)[headerSize:])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 9, 255}, []byte{1}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, madt, mcfg, fadt, hpet []byte) {
		var fw firmware
		root := fw.rsdp(2, table("APIC", madt), table("MCFG", mcfg), table("FACP", fadt), table("HPET", hpet))
		var got Tables
		Parse(&got, fw.memory, root)
		if !got.Present {
			t.Error("tables with right checksums were not found")
		}
		seen := map[uint32]bool{}
		for _, p := range got.Processors[:got.NumProcessors] {
			if seen[p.APIC] {
				t.Errorf("processor %d is listed twice", p.APIC)
			}
			seen[p.APIC] = true
		}
	})
}

func FuzzParse(f *testing.F) {
	var fw firmware
	root := fw.rsdp(2, madt(), mcfg(), fadt(0))
	f.Add(root-base, fw.bytes)
	f.Fuzz(func(t *testing.T, at uint64, b []byte) {
		fw := firmware{b}
		var got Tables
		Parse(&got, fw.memory, base+at)
		if got.NumProcessors > 0 && !got.Present {
			t.Error("processors without tables")
		}
	})
}
