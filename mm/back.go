package mm

// back maps r, in which nothing is mapped, to zeroed frames of the owner: all
// or nothing. It prefers few long runs, because each costs a NIC one piece of
// a packet and a hosted machine one mapping; runs of 2 MiB become large pages.
func (t *tables) back(r Range, owner Owner, p Prot) bool {
	flags := p.entry() | entryOwned
	for v := r.Base; v < r.End(); {
		order := largeOrder
		room := min(uint64(r.End()-v), LargePage-uint64(v)%LargePage)
		for uint64(PageSize)<<order > room {
			order--
		}
		n := t.backRun(v, order, owner, flags)
		if n == 0 {
			t.unmapRange(r)
			return false
		}
		v += Virt(n)
	}
	return true
}

// backRun maps up to 2^order frames at v, all within one table, and returns
// how many bytes that were; 0 if there is no frame.
func (t *tables) backRun(v Virt, order int, owner Owner, flags entry) uint64 {
	if order == largeOrder {
		if table := t.table(v, 1, true); table != 0 && t.load(table, indexOf(v, 1)) == 0 {
			if run, ok := t.frames.alloc(order, owner); ok {
				t.store(table, indexOf(v, 1), entry(run)|flags|entryLarge)
				return LargePage
			}
		}
		order--
	}
	table := t.table(v, 0, true)
	if table == 0 {
		return 0
	}
	for ; order >= 0; order-- {
		run, ok := t.frames.alloc(order, owner)
		if !ok {
			continue
		}
		if order > 0 {
			t.frames.split(run) // pages are unmapped one by one
		}
		t.fill(table, indexOf(v, 0), 1<<order, entry(run)|flags)
		return PageSize << order
	}
	return 0
}
