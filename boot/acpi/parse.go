package acpi

import (
	"encoding/binary"

	"nuos/boot"
)

// maxTable bounds the size of a table; real ones have some KiB, and only AML,
// which is not read, comes near a MiB.
const maxTable = 1 << 20

const headerSize = 36 // of every table but the root pointer (5.2.6)

func u16(b []byte, at int) uint16 { return binary.LittleEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
func u64(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }

// Parse fills t from the tables that the root pointer at rsdp leads to. What
// was in t is forgotten.
func Parse(t *Tables, mem boot.Memory, rsdp uint64) {
	*t = Tables{}
	if rsdp == 0 {
		return
	}
	root, width := t.root(mem, rsdp)
	if root == nil {
		return
	}
	t.Present = true
	for at := headerSize; at+width <= len(root); at += width {
		addr := uint64(u32(root, at))
		if width == 8 {
			addr = u64(root, at)
		}
		head := mem(addr, headerSize)
		if head == nil {
			t.Corrupt++
			continue
		}
		switch string(head[:4]) {
		case "APIC":
			if b := t.table(mem, addr, "APIC"); b != nil {
				t.parseMADT(b)
			}
		case "MCFG":
			if b := t.table(mem, addr, "MCFG"); b != nil {
				t.parseMCFG(b)
			}
		case "HPET":
			if b := t.table(mem, addr, "HPET"); b != nil {
				t.parseHPET(b)
			}
		case "FACP":
			if b := t.table(mem, addr, "FACP"); b != nil {
				t.parseFADT(b)
			}
		}
	}
}

// root returns the table of tables and the size in bytes of its entries: the
// XSDT where there is one (5.2.8), else the RSDT (5.2.7).
func (t *Tables) root(mem boot.Memory, rsdp uint64) (table []byte, width int) {
	b := mem(rsdp, 20)
	if b == nil || string(b[:8]) != "RSD PTR " || !sumsToZero(b) {
		t.Corrupt++
		return nil, 0
	}
	rsdt, revision := uint64(u32(b, 16)), b[15]
	if revision >= 2 {
		if b = mem(rsdp, 36); b != nil && sumsToZero(b) {
			if xsdt := u64(b, 24); xsdt != 0 {
				if table = t.table(mem, xsdt, "XSDT"); table != nil {
					return table, 8
				}
			}
		} else {
			t.Corrupt++
		}
	}
	return t.table(mem, rsdt, "RSDT"), 4
}

// table returns the whole table at addr, or nil if it is not what it should be.
func (t *Tables) table(mem boot.Memory, addr uint64, signature string) []byte {
	b := mem(addr, headerSize)
	if b != nil && string(b[:4]) == signature {
		size := uint64(u32(b, 4))
		if size >= headerSize && size <= maxTable {
			if b = mem(addr, size); b != nil && sumsToZero(b) {
				return b
			}
		}
	}
	t.Corrupt++
	return nil
}

func sumsToZero(b []byte) bool {
	var sum byte
	for _, c := range b {
		sum += c
	}
	return sum == 0
}
