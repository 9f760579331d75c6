package mm

import (
	"sync/atomic"
	"unsafe"
)

// Page-table entries: SDM 3A, 4.5 (four-level paging). An entry that is not
// zero is in use; one without entryPresent keeps a page that nobody may touch
// (PROT_NONE), which the processor allows, because it looks at no other bit
// then.
type entry = uint64

const (
	entryPresent entry = 1 << 0
	entryWrite   entry = 1 << 1
	entryThrough entry = 1 << 3 // write-through
	entryNoCache entry = 1 << 4
	entryDirty   entry = 1 << 6  // the processor's: the page has been written
	entryLarge   entry = 1 << 7  // a page where the next table would be
	entryOwned   entry = 1 << 9  // software: the frames go back when unmapped
	entryGuard   entry = 1 << 10 // software: not present until Unguard, on some processors
	entryNoExec  entry = 1 << 63
	entryAddress entry = 0x000f_ffff_ffff_f000
	entryFlags         = ^entryAddress
)

// Prot is what may be done with a page; the numbers are those of mmap(2).
type Prot uint8

const (
	ProtNone  Prot = 0
	ProtRead  Prot = 1
	ProtWrite Prot = 2
	ProtExec  Prot = 4
)

// valid reports whether p has known bits only and keeps W^X: no page can be
// written and executed.
func (p Prot) valid() bool {
	return p&^(ProtRead|ProtWrite|ProtExec) == 0 && p&(ProtWrite|ProtExec) != ProtWrite|ProtExec
}

// entry returns the flags that give p. The processor cannot forbid reading a
// page that may be written or executed.
func (p Prot) entry() entry {
	if p == ProtNone {
		return entryNoExec
	}
	e := entryPresent
	if p&ProtWrite != 0 {
		e |= entryWrite
	}
	if p&ProtExec == 0 {
		e |= entryNoExec
	}
	return e
}

// withProt is e with the protection p.
func withProt(e entry, p Prot) entry {
	return e&^(entryPresent|entryWrite|entryGuard|entryNoExec) | p.entry()
}

// A table at level l has entries of pageSize(l) bytes each: level 0 has pages
// of 4 KiB, level 3 is the root.
const rootLevel = 3

func pageSize(level int) uint64 { return PageSize << (9 * level) }

// remembered reports whether a processor may have a translation by e, or by what it was.
func remembered(e entry) bool { return e&(entryPresent|entryGuard) != 0 }

func isLeaf(e entry, level int) bool { return level == 0 || e&entryLarge != 0 }

func indexOf(v Virt, level int) int { return int(uint64(v)>>(12+9*level)) & 511 }

// slot is where entry i of a table is. Entries are read and written as whole
// words, because the processor and Translate read them at any time.
func (t *tables) slot(table Phys, i int) *entry {
	return (*entry)(pointer(t.frames.at(table) + Virt(i*8)))
}

func (t *tables) load(table Phys, i int) entry { return atomic.LoadUint64(t.slot(table, i)) }

// store writes an entry and keeps the number of entries in use in the frame
// record of the table, so that an empty table is noticed at once.
func (t *tables) store(table Phys, i int, e entry) {
	s := t.slot(table, i)
	used := &t.frames.record(number(table)).prev
	if *s == 0 && e != 0 {
		*used++
	} else if *s != 0 && e == 0 {
		*used--
	}
	atomic.StoreUint64(s, e)
}

// fill is store for count empty entries in a row of level 0, for frames in a
// row.
func (t *tables) fill(table Phys, i, count int, e entry) {
	slots := unsafe.Slice(t.slot(table, i), count)
	for k := range slots {
		atomic.StoreUint64(&slots[k], e+entry(k)*PageSize)
	}
	t.frames.record(number(table)).prev += uint32(count)
}
