package mm

// What is executed is not written, at any address. Page protections see to the
// addresses of the program; here is what they would leave open: the direct map, which
// shows every frame once more. Its view of a frame that is executed, or that holds
// constants, is read-only.

// seal takes the write permission from the direct map's view of size bytes of frames
// from p, which is for ever or until unseal. It reports false if there is no frame
// for a table. Afterwards the view consists of pages of 4 KiB, so that unseal needs
// no frame, whatever part it is called for.
func (t *tables) seal(p Phys, size uint64) bool {
	r := Range{DirectArea.Base + Virt(p), size}
	if t.empty(r) {
		return true // tables that no machine runs on have no direct map
	}
	for v := r.Base; v < r.End(); v += PageSize {
		if !t.cut(v) || !t.cut(v+PageSize) {
			return false
		}
	}
	t.protect(r, ProtRead)
	return true
}

// unseal makes the direct map's view of frames that were sealed writable again.
func (t *tables) unseal(p Phys, size uint64) {
	t.protect(Range{DirectArea.Base + Virt(p), size}, ProtRead|ProtWrite)
}

// sealRange seals the frames of all pages in r that are ours, before they become
// executable: all or nothing. A large page must not be cut by the bounds of r.
func (t *tables) sealRange(r Range) bool {
	for v := r.Base; v < r.End(); {
		e, level, _ := t.leaf(v)
		if e&entryOwned != 0 && !t.seal(Phys(e&entryAddress), pageSize(level)) {
			t.unsealRange(Range{r.Base, uint64(v - r.Base)})
			return false
		}
		v = v&^Virt(pageSize(level)-1) + Virt(pageSize(level))
	}
	return true
}

// unsealRange unseals the frames of all pages in r that are ours, after they have
// stopped being executable.
func (t *tables) unsealRange(r Range) {
	for v := r.Base; v < r.End(); {
		e, level, _ := t.leaf(v)
		if e&entryOwned != 0 {
			t.unseal(Phys(e&entryAddress), pageSize(level))
		}
		v = v&^Virt(pageSize(level)-1) + Virt(pageSize(level))
	}
}

// executable reports whether e lets a processor fetch instructions from the page.
func executable(e entry) bool { return e&entryPresent != 0 && e&entryNoExec == 0 }
