package mm

// Objects calls f with the memory of every allocated object, in order of their
// addresses, until f returns false. It is somewhat larger than what was asked for.
// Nothing is allocated or freed meanwhile: f must do neither. What else changes the
// objects goes on.
func (h *Heap) Objects(f func(Range) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flush()
	for p := uint64(firstBlock); p < h.top; p += h.size(p) {
		if *h.header(p)&flagFree == 0 && !f(Range{h.base + Virt(p), h.size(p) - headerSize}) {
			return
		}
	}
}
