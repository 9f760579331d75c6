package pci

import (
	"cmp"
	"slices"

	"nuos/mm"
)

// Windows is where new addresses may lie: below and above 4 GiB, except Used.
type Windows struct {
	Low, High mm.PhysRange
	Used      []mm.PhysRange
}

// bridgeStep is the granularity of a bridge's memory windows (Bridge 3.2.5.8).
const bridgeStep = 1 << 20

// assign gives addresses to memory BARs that have none, and windows to the
// bridges above them. Functions with addresses stay where they are.
func (b *Bus) assign(root []*node, w Windows) {
	for _, f := range b.Functions {
		for _, bar := range f.BARs {
			if bar.Base != 0 && !bar.IO {
				w.Used = append(w.Used, mm.PhysRange{Base: bar.Base, Size: bar.Size})
			}
		}
		if f.header == headerBridge {
			if r, open := f.window(); open {
				w.Used = append(w.Used, r)
			}
		}
	}
	w.place(root, true)
}

// place assigns what is on one bus; what is behind a bridge gets one stretch
// of the low window, because a bridge's plain window is 32 bits wide.
func (w *Windows) place(nodes []*node, onRoot bool) {
	for _, want := range wanted(nodes) {
		bar := &want.BARs[want.index]
		base, ok := w.take(w.Low, bar.Size, bar.Size)
		if !ok && bar.Wide && onRoot {
			base, ok = w.take(w.High, bar.Size, bar.Size)
		}
		if ok {
			want.setBAR(want.index, base)
		}
	}
	for _, n := range nodes {
		if n.header != headerBridge || len(n.children) == 0 {
			continue
		}
		open, exists := n.window()
		need := demand(n.children)
		if exists || need == 0 {
			// Firmware opened the window: new addresses behind it must lie
			// inside, in what is not taken.
			inner := Windows{Low: open, Used: usedBelow(n.children)}
			inner.place(n.children, false)
			continue
		}
		if base, ok := w.take(w.Low, need, bridgeStep); ok {
			inner := Windows{Low: mm.PhysRange{Base: base, Size: need}}
			n.openWindow(inner.Low)
			inner.place(n.children, false)
		}
	}
}

// request is a BAR without an address.
type request struct {
	*Function
	index int
}

// wanted returns the memory BARs on one bus that have no address, the largest
// first, which packs them without gaps.
func wanted(nodes []*node) []request {
	var all []request
	for _, n := range nodes {
		for i, bar := range n.BARs {
			if bar.Size != 0 && bar.Base == 0 && !bar.IO {
				all = append(all, request{n.Function, i})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b request) int {
		return cmp.Compare(b.BARs[b.index].Size, a.BARs[a.index].Size)
	})
	return all
}

// demand returns how much window what is below a bridge needs, with room for
// the alignment of its largest BAR.
func demand(nodes []*node) uint64 {
	var sum, largest uint64
	for _, r := range wanted(nodes) {
		size := r.BARs[r.index].Size
		sum, largest = sum+size, max(largest, size)
	}
	for _, n := range nodes {
		sum += demand(n.children)
	}
	if largest > bridgeStep {
		sum += largest
	}
	return (sum + bridgeStep - 1) &^ (bridgeStep - 1)
}

// usedBelow returns what firmware assigned behind a bridge.
func usedBelow(nodes []*node) []mm.PhysRange {
	var used []mm.PhysRange
	for _, n := range nodes {
		for _, bar := range n.BARs {
			if bar.Base != 0 && !bar.IO {
				used = append(used, mm.PhysRange{Base: bar.Base, Size: bar.Size})
			}
		}
		if n.header == headerBridge {
			if r, open := n.window(); open {
				used = append(used, r)
			}
		}
	}
	return used
}

// take reserves size bytes of within, first fit.
func (w *Windows) take(within mm.PhysRange, size, align uint64) (mm.Phys, bool) {
	p := uint64(within.Base)
	for {
		p = (p + align - 1) &^ (align - 1)
		if p < uint64(within.Base) || p+size < p || p+size > uint64(within.End()) || p == 0 {
			return 0, false
		}
		next := p
		for _, u := range w.Used {
			if p < uint64(u.End()) && uint64(u.Base) < p+size {
				next = max(next, uint64(u.End()))
			}
		}
		if next == p {
			w.Used = append(w.Used, mm.PhysRange{Base: mm.Phys(p), Size: size})
			return mm.Phys(p), true
		}
		p = next
	}
}

// window returns the memory window of a bridge and whether it is open.
func (f *Function) window() (mm.PhysRange, bool) {
	base := uint64(f.Read(regMemory, 2)&0xfff0) << 16
	limit := uint64(f.Read(regMemory+2, 2)&0xfff0)<<16 + bridgeStep
	if base == 0 || limit <= base {
		return mm.PhysRange{}, false
	}
	return mm.PhysRange{Base: mm.Phys(base), Size: limit - base}, true
}

// openWindow makes a bridge pass r downstream, and what is behind it access
// memory. The prefetchable window is closed: base above limit.
func (f *Function) openWindow(r mm.PhysRange) {
	f.Write(regMemory, 2, uint32(uint64(r.Base)>>16&0xfff0))
	f.Write(regMemory+2, 2, uint32((uint64(r.End())-1)>>16&0xfff0))
	f.Write(regPrefetch, 4, 0x0000_fff0)
	f.Write(regPrefetchHi, 4, 0)
	f.Write(regPrefetchHi+4, 4, 0)
	f.Write(regCommand, 2, f.Read(regCommand, 2)|commandMemory|commandMaster)
}
