package mm

import (
	"sync/atomic"
	"unsafe"
)

// Page tables. Nothing here locks, except the frame allocator: the caller
// keeps two changes apart. What is unmapped is gathered, and goes back to the
// allocator only after the flush.

// tables is one address space's page tables and the frames they are made of.
type tables struct {
	frames frames
	root   Phys
}

// gather collects runs of frames that were unmapped, and tables that became
// empty, in a list through their frame records.
type gather struct {
	first uint32
	stale bool // a translation was there that a processor may remember
}

func (t *tables) init() bool {
	root, ok := t.frames.alloc(0, PageTable)
	t.root = root
	return ok
}

// collect adds the run at p, which is in use, to g.
func (t *tables) collect(g *gather, p Phys) {
	n := number(p)
	t.frames.record(n).next = g.first
	g.first = n
}

// finish flushes r and then frees what g has.
func (t *tables) finish(g *gather, r Range) {
	if g.stale {
		flush(r)
	}
	for g.first != 0 {
		n := g.first
		rec := t.frames.record(n)
		g.first = rec.next
		t.frames.release(address(n), rec.owner)
	}
	g.stale = false
}

// table returns the table at level that covers v, making those that are
// missing if create is set. It returns 0 if there is none, or no frame, or a
// large page in its place.
func (t *tables) table(v Virt, level int, create bool) Phys {
	table := t.root
	for l := rootLevel; l > level; l-- {
		i := indexOf(v, l)
		e := t.load(table, i)
		if e == 0 {
			if !create {
				return 0
			}
			p, ok := t.frames.alloc(0, PageTable)
			if !ok {
				return 0
			}
			// What the pages may do, they say themselves.
			e = entry(p) | entryPresent | entryWrite
			t.store(table, i, e)
		} else if isLeaf(e, l) {
			return 0
		}
		table = Phys(e & entryAddress)
	}
	return table
}

// leaf returns the entry that maps v and its level; 0 if v is not mapped.
func (t *tables) leaf(v Virt) (e entry, level int, table Phys) {
	table = t.root
	for level = rootLevel; ; level-- {
		e = t.load(table, indexOf(v, level))
		if e == 0 || isLeaf(e, level) {
			return e, level, table
		}
		table = Phys(e & entryAddress)
	}
}

// put maps the page at v, of the size of level, to the frames at p.
// It reports false, and changes nothing but that tables may have been made, if
// there is something at v or no frame for a table.
func (t *tables) put(v Virt, p Phys, level int, flags entry) bool {
	table := t.table(v, level, true)
	if table == 0 || t.load(table, indexOf(v, level)) != 0 {
		return false
	}
	if level > 0 {
		flags |= entryLarge
	}
	t.store(table, indexOf(v, level), entry(p)|flags)
	return true
}

// mapRange maps r to the physical addresses from p with the largest pages that
// fit, up to those of maxLevel. All or nothing.
func (t *tables) mapRange(r Range, p Phys, flags entry, maxLevel int) bool {
	if !t.empty(r) {
		return false
	}
	for v := r.Base; v < r.End(); {
		level := maxLevel
		for level > 0 && ((uint64(v)|uint64(p))%pageSize(level) != 0 || uint64(r.End()-v) < pageSize(level)) {
			level--
		}
		if !t.put(v, p, level, flags) {
			t.unmapRange(r)
			return false
		}
		v += Virt(pageSize(level))
		p += Phys(pageSize(level))
	}
	return true
}

// unmapRange unmaps what is mapped in r, flushes, and frees its frames and
// empty tables. A large page must not be cut by the bounds of r; see cut.
func (t *tables) unmapRange(r Range) {
	var g gather
	if r.Size != 0 {
		t.unmapIn(t.root, rootLevel, r.Base, r.End()-1, &g)
		t.finish(&g, r)
	}
}

// unmapIn unmaps first to last, inclusive, below one table. It recurses at
// most three times.
func (t *tables) unmapIn(table Phys, level int, first, last Virt, g *gather) {
	span := Virt(pageSize(level))
	for v := first; ; v = v&^(span-1) + span {
		i := indexOf(v, level)
		end := min(last, v|(span-1))
		switch e := t.load(table, i); {
		case e == 0:
		case isLeaf(e, level):
			if v&(span-1) != 0 || end != v|(span-1) {
				fatal("mm: part of a large page unmapped", uint64(v))
			}
			t.store(table, i, 0)
			g.stale = g.stale || remembered(e)
			if e&entryOwned != 0 {
				if executable(e) {
					t.unseal(Phys(e&entryAddress), uint64(span))
				}
				t.collect(g, Phys(e&entryAddress))
			}
		default:
			child := Phys(e & entryAddress)
			t.unmapIn(child, level-1, v, end, g)
			if t.frames.record(number(child)).prev == 0 {
				t.store(table, i, 0)
				t.collect(g, child)
				g.stale = true
			}
		}
		if end == last {
			return
		}
	}
}

// move maps at to what is mapped in r, and no longer there; nothing was mapped at
// to. A large page must not be cut by the bounds of r. It reports false if there is
// no frame for a table; nothing has moved then.
func (t *tables) move(r Range, to Virt) bool {
	t.unmapRange(Range{to, r.Size}) // empty tables, where large pages may come
	for v := r.Base; v < r.End(); {
		e, level, _ := t.leaf(v)
		there := to + (v - r.Base)
		if e != 0 {
			if level > 0 && uint64(there)%pageSize(level) != 0 {
				if !t.cut(v + PageSize) {
					return false
				}
				continue
			}
			if t.table(there, level, true) == 0 {
				t.unmapRange(Range{to, r.Size}) // tables alone
				return false
			}
		}
		v = v&^Virt(pageSize(level)-1) + Virt(pageSize(level))
	}
	for v := r.Base; v < r.End(); {
		e, level, table := t.leaf(v)
		if e != 0 {
			there := to + (v - r.Base)
			t.store(table, indexOf(v, level), 0)
			t.store(t.table(there, level, false), indexOf(there, level), e)
		}
		v = v&^Virt(pageSize(level)-1) + Virt(pageSize(level))
	}
	flush(r)
	t.unmapRange(r) // tables alone
	return true
}

// protect sets the protection of what is mapped in r and flushes. A large page
// must not be cut by the bounds of r.
func (t *tables) protect(r Range, p Prot) {
	if r.Size != 0 && t.protectIn(t.root, rootLevel, r.Base, r.End()-1, p) {
		flush(r)
	}
}

// protectIn reports whether a translation changed that a processor may
// remember.
func (t *tables) protectIn(table Phys, level int, first, last Virt, p Prot) (stale bool) {
	span := Virt(pageSize(level))
	for v := first; ; v = v&^(span-1) + span {
		i := indexOf(v, level)
		end := min(last, v|(span-1))
		switch e := t.load(table, i); {
		case e == 0:
		case isLeaf(e, level):
			if changed := withProt(e, p); changed != e {
				t.store(table, i, changed)
				stale = stale || remembered(e)
			}
		default:
			stale = t.protectIn(Phys(e&entryAddress), level-1, v, end, p) || stale
		}
		if end == last {
			return stale
		}
	}
}

// takeWritten appends to into the pages of r, all of which are mapped, that a processor has written
// since they were last taken, as far as it says so: one that has said so already says it again when
// it has forgotten that; see flush. Of a large page that is all of it. The tables of r do not change meanwhile.
func (t *tables) takeWritten(r Range, into []Range) []Range {
	for v := r.Base; v < r.End(); {
		_, level, table := t.leaf(v)
		span := Virt(pageSize(level))
		rest := 512
		if level > 0 {
			rest = indexOf(v, level) + 1 // what comes next may be a table
		}
		for i := indexOf(v, level); i < rest && v < r.End(); i++ {
			next := min(v&^(span-1)+span, r.End())
			if s := t.slot(table, i); atomic.LoadUint64(s)&entryDirty != 0 {
				atomic.AndUint64(s, ^entryDirty)
				into = appendRange(into, Range{v, uint64(next - v)})
			}
			v = next
		}
	}
	return into
}

// empty reports whether nothing is mapped in r. Tables may be there.
func (t *tables) empty(r Range) bool {
	_, found := t.next(r)
	return !found
}

// full reports whether every page of r is mapped.
func (t *tables) full(r Range) bool {
	for v := r.Base; v < r.End(); {
		e, _, size := t.stretch(v, uint64(r.End()-v))
		if e == 0 {
			return false
		}
		v += Virt(size)
	}
	return true
}

// next returns the first mapped address in r, or the begin of r if the page
// that is mapped there begins before.
func (t *tables) next(r Range) (Virt, bool) {
	for v := r.Base; v < r.End(); {
		e, _, size := t.stretch(v, uint64(r.End()-v))
		if e != 0 {
			return v, true
		}
		v += Virt(size)
	}
	return 0, false
}

// stretch returns the entry that maps v, the frame there, and how many bytes from v on are
// mapped to frames in a row, or not mapped either: at least those of the page, and no more
// than there are in one table, or than limit and what is left of a page then.
func (t *tables) stretch(v Virt, limit uint64) (e entry, p Phys, size uint64) {
	e, level, table := t.leaf(v)
	span := pageSize(level)
	offset := uint64(v) & (span - 1)
	size = span - offset
	row := unsafe.Slice(t.slot(table, 0), 512)[indexOf(v, level)+1:]
	if e == 0 {
		for i := 0; i < len(row) && size < limit && atomic.LoadUint64(&row[i]) == 0; i++ {
			size += span
		}
		return 0, 0, size
	}
	const same = entryAddress | entryPresent | entryLarge
	next := e&same + entry(span)
	for i := 0; i < len(row) && size < limit && atomic.LoadUint64(&row[i])&same == next; i++ {
		size += span
		next += entry(span)
	}
	return e, Phys(e&entryAddress) + Phys(offset), size
}

// cut makes v a boundary between pages: a large page around v becomes 512
// smaller ones. It reports false if there is no frame for the table.
func (t *tables) cut(v Virt) bool {
	for {
		e, level, table := t.leaf(v)
		if e == 0 || level == 0 || uint64(v)%pageSize(level) == 0 {
			return true
		}
		child, ok := t.frames.alloc(0, PageTable)
		if !ok {
			return false
		}
		if e&entryOwned != 0 {
			t.frames.split(Phys(e & entryAddress))
		}
		small := e
		if level == 1 {
			small &^= entryLarge
		}
		for i := range 512 {
			t.store(child, i, small+entry(uint64(i)*pageSize(level-1)))
		}
		// The translations stay the same, so that either kind may be in use
		// until whoever cuts changes one of them and flushes.
		t.store(table, indexOf(v, level), entry(child)|entryPresent|entryWrite)
	}
}
