package mm

// lookAhead is how many neighbouring pages translate tries to join: enough for
// the longest packet, because it is called for each.
const lookAhead = 4

// translate returns the device address of v and how many bytes from there are
// contiguous, as far as it looked. It takes no lock: the caller must see to it
// that the page of v stays mapped, then the tables above it stay, too.
func (t *tables) translate(v Virt) (Phys, uint64, bool) {
	if DirectArea.Contains(v) && t.frames.direct == DirectArea.Base {
		p := Phys(v - DirectArea.Base)
		for _, s := range t.frames.spans[:t.frames.spanCount] {
			if m := s.memory(); p >= m.Base && p < m.End() {
				return p, uint64(m.End() - p), true
			}
		}
		return 0, 0, false
	}
	e, level, table := t.leaf(v)
	if e&entryPresent == 0 {
		return 0, 0, false
	}
	size := pageSize(level)
	offset := uint64(v) & (size - 1)
	contiguous := size - offset
	i := indexOf(v, level)
	const same = entryAddress | entryPresent
	for k := 1; k < lookAhead && i+k < 512; k++ {
		next := t.load(table, i+k)
		if !isLeaf(next, level) || next&same != (e+entry(uint64(k)*size))&same {
			break
		}
		contiguous += size
	}
	return Phys(e&entryAddress) + Phys(offset), contiguous, true
}
