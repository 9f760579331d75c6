package mm

import "math/bits"

// back maps r, in which nothing is mapped, to frames of the owner, zeroed or with
// anything in them: all or nothing. It prefers few long runs, because each costs a NIC
// one piece of a packet and a hosted machine one mapping; runs of 2 MiB become large pages.
func (t *tables) back(r Range, owner Owner, p Prot, zeroed bool) bool {
	flags := p.entry() | entryOwned
	for v := r.Base; v < r.End(); {
		room := min(uint64(r.End()-v), LargePage-uint64(v)%LargePage)
		n := t.backRun(v, uint32(room/PageSize), owner, flags, zeroed)
		if n == 0 {
			t.unmapRange(r)
			return false
		}
		v += Virt(n)
	}
	return true
}

// backRun maps up to count frames at v, all within one table, and returns
// how many bytes that were; 0 if there is no frame.
func (t *tables) backRun(v Virt, count uint32, owner Owner, flags entry, zeroed bool) uint64 {
	if count == 1<<largeOrder {
		if table := t.table(v, 1, true); table != 0 && t.load(table, indexOf(v, 1)) == 0 {
			if run, ok := t.frames.grab(largeOrder, owner); ok {
				t.frames.ready(number(run), count, zeroed)
				t.store(table, indexOf(v, 1), entry(run)|flags|entryLarge)
				return LargePage
			}
		}
	}
	table := t.table(v, 0, true)
	if table == 0 {
		return 0
	}
	for count > 0 {
		if run, ok := t.frames.allocPages(count, owner, zeroed); ok {
			t.fill(table, indexOf(v, 0), int(count), entry(run)|flags)
			return uint64(count) * PageSize
		}
		// There is no run so long: the next shorter kind.
		count = 1 << bits.Len32(count-1) >> 1
	}
	return 0
}
