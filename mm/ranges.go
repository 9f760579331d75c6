package mm

// Lists of ranges in ascending order that do not overlap.

// without returns what of a is not in b.
func without(a, b []Range) (rest []Range) {
	for _, r := range a {
		for len(b) > 0 && b[0].End() <= r.Base {
			b = b[1:]
		}
		for _, s := range b {
			if s.Base >= r.End() {
				break
			}
			if s.Base > r.Base {
				rest = append(rest, Range{r.Base, uint64(s.Base - r.Base)})
			}
			if s.End() >= r.End() {
				r.Size = 0
				break
			}
			r = Range{s.End(), uint64(r.End() - s.End())}
		}
		if r.Size > 0 {
			rest = append(rest, r)
		}
	}
	return rest
}

// joined returns a with gaps of up to so many bytes filled, but only where they are in
// one range of whole, which has all of a.
func joined(a, whole []Range, gap uint64) (all []Range) {
	for _, r := range a {
		for !whole[0].covers(r) {
			whole = whole[1:]
		}
		if n := len(all); n > 0 && whole[0].covers(all[n-1]) && uint64(r.Base-all[n-1].End()) <= gap {
			all[n-1].Size = uint64(r.End() - all[n-1].Base)
		} else {
			all = append(all, r)
		}
	}
	return all
}

// appendRange appends r to a list that it comes behind, as one range with the last if they touch.
func appendRange(a []Range, r Range) []Range {
	if n := len(a); n > 0 && a[n-1].End() == r.Base {
		a[n-1].Size += r.Size
		return a
	}
	return append(a, r)
}
