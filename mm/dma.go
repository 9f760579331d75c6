package mm

// orderOf returns the order of the smallest run that holds size bytes.
func orderOf(size uint64) int {
	order := 0
	for order <= maxOrder && PageSize<<order < size {
		order++
	}
	return order
}

// allocDMA allocates a run of frames, which devices can use as it is and the
// direct map shows to the program.
func (t *tables) allocDMA(size uint64) (Virt, bool) {
	order := orderOf(size)
	if order > maxOrder {
		return 0, false
	}
	p, ok := t.frames.alloc(order, DMA)
	return t.frames.at(p), ok
}

// freeDMA frees what allocDMA returned for a size of the same order.
func (t *tables) freeDMA(r Range) bool {
	p := Phys(r.Base - t.frames.direct)
	owner, order, found := t.frames.ownerOf(p)
	if !found || owner != DMA || orderOf(r.Size) != order {
		return false
	}
	t.frames.release(p, DMA)
	return true
}
