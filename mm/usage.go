package mm

import "sync/atomic"

// Owner says what a frame is used for.
type Owner uint8

const (
	Free      Owner = iota // nobody's
	Program                // Go's heap and stacks: anonymous memory
	Heaps                  // proclet heaps
	DMA                    // AllocDMA
	PageTable              // page tables
	Kernel                 // bookkeeping of mm, and what the kernel itself takes
	owners
)

// Usage counts frames of PageSize bytes. Total is the sum of the others.
type Usage struct {
	Total                                         uint64
	Free, Program, Heaps, DMA, PageTables, Kernel uint64
}

// ledger counts frames by owner. Writers hold the allocator's lock; readers
// need none, so that a goroutine can read while it is preempted at any point.
type ledger struct {
	version atomic.Uint64 // odd while a change is being made
	count   [owners]atomic.Uint64
}

// move books n frames from one owner to another.
// Precondition: the allocator's lock is held.
func (l *ledger) move(from, to Owner, n uint64) {
	l.version.Add(1)
	l.count[from].Add(-n)
	l.count[to].Add(n)
	l.version.Add(1)
}

// found books n frames that were not counted before.
func (l *ledger) found(owner Owner, n uint64) {
	l.version.Add(1)
	l.count[owner].Add(n)
	l.version.Add(1)
}

// read returns counts that were all true at one moment.
func (l *ledger) read() Usage {
	for {
		before := l.version.Load()
		u := Usage{
			Free:       l.count[Free].Load(),
			Program:    l.count[Program].Load(),
			Heaps:      l.count[Heaps].Load(),
			DMA:        l.count[DMA].Load(),
			PageTables: l.count[PageTable].Load(),
			Kernel:     l.count[Kernel].Load(),
		}
		if before&1 == 0 && before == l.version.Load() {
			u.Total = u.Free + u.Program + u.Heaps + u.DMA + u.PageTables + u.Kernel
			return u
		}
		spinHint()
	}
}
