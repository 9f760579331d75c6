package rack

import (
	"cmp"
	"slices"
)

// replicas is how many of n machines keep a copy of the directory, and vote:
// five survive the loss of two at once, three that of one.
func replicas(n int) int {
	switch {
	case n >= 5:
		return 5
	case n >= 3:
		return 3
	}
	return n
}

// chooseVoters returns who should vote: the leader first, those who do now, and
// then members that are not being emptied. able excludes members that cannot,
// nil nobody.
func chooseVoters(v *View, now []uint64, leader uint64, able func(*MemberRecord) bool) (nonces []uint64) {
	var all []MemberRecord
	for _, m := range v.Members {
		if m.Nonce == leader || !m.Leaving && (able == nil || able(&m)) {
			all = append(all, m)
		}
	}
	rank := func(m MemberRecord) int {
		switch {
		case m.Nonce == leader:
			return 0
		case slices.Contains(now, m.Nonce):
			return 1
		case !m.Draining:
			return 2
		}
		return 3
	}
	slices.SortStableFunc(all, func(a, b MemberRecord) int { return cmp.Compare(rank(a), rank(b)) })
	for _, m := range all[:replicas(len(all))] {
		nonces = append(nonces, m.Nonce)
	}
	return nonces
}
