package stackmap

import (
	"sync"
	"sync/atomic"
)

// sites remembers every site that a check has come across: at most one for
// each call in the program. Looking one up takes no lock and allocates
// nothing.
var sites struct {
	table atomic.Pointer[siteTable]

	mu    sync.Mutex // for adding
	count int
}

// siteTable is a hash table with linear probing, at most half full. Its size
// is a power of two.
type siteTable struct {
	slots []atomic.Pointer[site]
	shift uint // the hash's upper bits are the index
}

func newSiteTable(bits uint) *siteTable {
	return &siteTable{make([]atomic.Pointer[site], 1<<bits), 64 - bits}
}

func init() { sites.table.Store(newSiteTable(8)) }

// slot is where the site of key is, or would be.
func (t *siteTable) slot(key uintptr) *atomic.Pointer[site] {
	mask := uintptr(len(t.slots) - 1)
	// Fibonacci hashing: 2^64 divided by the golden ratio spreads
	// neighbouring program counters.
	for i := key * 0x9e37_79b9_7f4a_7c15 >> t.shift; ; i++ {
		slot := &t.slots[i&mask]
		if s := slot.Load(); s == nil || s.key == key {
			return slot
		}
	}
}

// lookup returns the site of key.
func lookup(key uintptr) *site {
	if s := sites.table.Load().slot(key).Load(); s != nil {
		return s
	}
	return addSite(newSite(key))
}

func addSite(s *site) *site {
	sites.mu.Lock()
	defer sites.mu.Unlock()
	t := sites.table.Load()
	if old := t.slot(s.key).Load(); old != nil {
		return old // another thread was faster
	}
	if sites.count++; 2*sites.count > len(t.slots) {
		grown := newSiteTable(64 - t.shift + 1)
		for i := range t.slots {
			if old := t.slots[i].Load(); old != nil {
				grown.slot(old.key).Store(old)
			}
		}
		t = grown
		t.slot(s.key).Store(s)
		sites.table.Store(t)
		return s
	}
	t.slot(s.key).Store(s)
	return s
}
