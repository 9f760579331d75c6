package mm

// Frames are handed out zeroed, but to who overwrites them at once, such as a proclet
// that arrives. Zeroing takes half as long as copying, so the allocator remembers which
// frames are zero already, and who is idle makes more of them.

const (
	stockOrder = 4    // runs of 64 KiB are zeroed ahead of time
	stockWant  = 4096 // frames, 16 MiB
)

// ready makes count frames from n, which are in one run, zero if they are to be, and marks
// them as written, which is what their new owner is about to make true.
// Precondition: they belong to the caller.
func (f *frames) ready(n, count uint32, zeroed bool) {
	if zeroed {
		f.clean(n, count)
	}
	records := f.records(n, count)
	for i := range records {
		records[i].flipped = !f.startsDirty
	}
}

// clean makes those of count frames from n zero that are not known to be, and
// marks them so.
func (f *frames) clean(n, count uint32) {
	records := f.records(n, count)
	for i := range records {
		if r := &records[i]; r.flipped != f.startsDirty {
			clear(bytesAt(f.at(address(n+uint32(i))), PageSize))
			r.flipped = f.startsDirty
		}
	}
}

// zeroSome zeroes one run of free frames ahead of its use and reports whether
// there was one to zero. At most half of the free memory is stocked, so that
// small machines keep their large runs.
func (f *frames) zeroSome() bool {
	interrupts := f.mu.lock()
	n := uint32(0)
	if f.stocked < stockWant && f.stocked < f.ledger.count[Free].Load()/2 {
		n = f.takeDirty()
	}
	f.mu.unlock(interrupts)
	if n == 0 {
		return false
	}
	f.clean(n, 1<<stockOrder)
	interrupts = f.mu.lock()
	f.link(&f.stock[stockOrder], n, inStock, stockOrder)
	f.stocked += 1 << stockOrder
	f.mu.unlock(interrupts)
	return true
}

// takeDirty removes a run of stockOrder from the free lists. It stays booked
// as free; alloc does not see it for the moment that its zeroing takes.
// Precondition: mu is held.
func (f *frames) takeDirty() uint32 {
	for k := stockOrder; k <= maxOrder; k++ {
		if n := f.free[k]; n != 0 {
			f.unlink(&f.free[k], n)
			for ; k > stockOrder; k-- {
				f.link(&f.free[k-1], n+1<<(k-1), inFree, k-1)
			}
			return n
		}
	}
	return 0
}

// drainStock moves the stock to the free lists, where its runs can merge.
// Their frames are still known to be zero.
// Precondition: mu is held.
func (f *frames) drainStock() {
	for order := range f.stock {
		for f.stock[order] != 0 {
			n := f.stock[order]
			f.unlink(&f.stock[order], n)
			f.put(n, order)
		}
	}
	f.stocked = 0
}
