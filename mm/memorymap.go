package mm

// From a loader's memory map to the allocator's first free runs.

// joinGap is the largest hole between two ranges that is cheaper to describe
// with frame records than as a second span: 16 MiB costs 48 KiB of records.
const joinGap = 16 << 20

// add gives the allocator the memory in usable, except what reserved covers.
// Neither needs to be sorted or aligned; where they overlap, reserved wins.
// All of usable must be visible at f.direct. Memory for which no span is left
// is not used; add returns how many bytes that are.
func (f *frames) add(usable, reserved []PhysRange) (unused uint64) {
	from := f.spanCount
	for _, r := range usable {
		if !f.extend(from, r) {
			unused += r.Size
		}
	}
	for i := from; i < f.spanCount; i++ {
		if !f.placeRecords(i, usable, reserved) {
			s := f.spans[i]
			for _, r := range usable {
				if r.overlaps(s.memory()) {
					unused += r.Size
				}
			}
			f.spanCount--
			f.spans[i] = f.spans[f.spanCount]
			i--
		}
	}
	for i := range usable {
		f.carve(usable, i, reserved)
	}
	return unused
}

func (s span) memory() PhysRange {
	return PhysRange{address(s.first), uint64(s.end-s.first) * PageSize}
}

// extend makes r part of a span that is not older than number from.
func (f *frames) extend(from int, r PhysRange) bool {
	first, end := frameBounds(r)
	if first >= end {
		return true // less than a page
	}
	const gap = joinGap / PageSize
	for i := from; i < f.spanCount; {
		s := f.spans[i]
		if uint64(first) > uint64(s.end)+gap || uint64(s.first) > uint64(end)+gap {
			i++
			continue
		}
		// They join; the union may reach spans that neither reached before.
		first, end = min(first, s.first), max(end, s.end)
		f.spanCount--
		f.spans[i] = f.spans[f.spanCount]
		i = from
	}
	if f.spanCount == maxSpans {
		return false
	}
	f.spans[f.spanCount] = span{first: first, end: end}
	f.spanCount++
	return true
}

// frameBounds returns the whole frames in r. Frame 0 is never used: its number
// means "none".
func frameBounds(r PhysRange) (first, end uint32) {
	const limit = 1 << 32 // frame numbers are 32 bits: 16 TiB
	a, b := (uint64(r.Base)+PageSize-1)/PageSize, uint64(r.End())/PageSize
	return uint32(min(max(a, 1), limit-1)), uint32(min(b, limit-1))
}

// placeRecords finds room for the records of span i in its own memory.
func (f *frames) placeRecords(i int, usable, reserved []PhysRange) bool {
	s := &f.spans[i]
	size := roundUp(uint64(s.end-s.first)*frameRecordSize, PageSize)
	for _, r := range usable {
		first, end := frameBounds(r)
		if first < s.first || end > s.end {
			continue
		}
		for p := address(first); p+Phys(size) <= address(end); {
			hit, found := firstOverlap(PhysRange{p, size}, reserved)
			if !found {
				s.records = p
				if f.startsDirty {
					clear(bytesAt(f.at(p), size))
				}
				f.ledger.found(Kernel, size/PageSize)
				return true
			}
			p = Phys(roundUp(uint64(hit.End()), PageSize))
		}
	}
	return false
}

// recordsOf returns where the records of span i are.
func (f *frames) recordsOf(i int) PhysRange {
	s := f.spans[i]
	return PhysRange{s.records, roundUp(uint64(s.end-s.first)*frameRecordSize, PageSize)}
}

// carve frees what is left of usable[i] without reserved memory, the records,
// and what earlier ranges of a sloppy map had already.
func (f *frames) carve(usable []PhysRange, i int, reserved []PhysRange) {
	first, end := frameBounds(usable[i])
	for n := first; n < end; {
		if f.record(n) == nil {
			return // no span was left for it
		}
		rest := PhysRange{address(n), uint64(end-n) * PageSize}
		taken, found := f.firstTaken(rest, usable[:i], reserved)
		stop := end
		if found {
			stop = max(n, number(taken.Base))
		}
		f.putAll(n, stop)
		if !found {
			return
		}
		n = max(stop, uint32(min(roundUp(uint64(taken.End()), PageSize)/PageSize, 1<<32-1)))
	}
}

// firstTaken returns the lowest range that overlaps rest and is not free.
func (f *frames) firstTaken(rest PhysRange, earlier, reserved []PhysRange) (PhysRange, bool) {
	best, found := firstOverlap(rest, reserved)
	consider := func(r PhysRange, ok bool) {
		if ok && (!found || r.Base < best.Base) {
			best, found = r, true
		}
	}
	consider(firstOverlap(rest, earlier))
	for i := range f.spans[:f.spanCount] {
		r := f.recordsOf(i)
		consider(r, r.overlaps(rest))
	}
	return best, found
}

// firstOverlap returns the range with the lowest base that overlaps r.
func firstOverlap(r PhysRange, others []PhysRange) (best PhysRange, found bool) {
	for _, o := range others {
		if o.Size != 0 && o.overlaps(r) && (!found || o.Base < best.Base) {
			best, found = o, true
		}
	}
	return best, found
}

// putAll frees the frames from first up to end in the largest aligned runs.
func (f *frames) putAll(first, end uint32) {
	interrupts := f.mu.lock()
	for n := first; n < end; {
		order := 0
		for order < maxOrder && n&(1<<order) == 0 && uint64(n)+2<<order <= uint64(end) {
			order++
		}
		f.ledger.found(Free, 1<<order)
		f.put(n, order)
		n += 1 << order
	}
	f.mu.unlock(interrupts)
}
