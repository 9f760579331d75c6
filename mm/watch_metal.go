//go:build metal

package mm

import "fmt"

// On metal the processor marks a page as written in its table, when it writes to one that
// it has not seen marked. So nobody has to be stopped, and nothing is protected. Marks are
// taken from the tables without a lock, as Translate reads them: what is mapped in a heap
// that is watched stays so, and nobody else changes those entries. Then all processors forget
// what they have seen; what one has written before that, unmarked, is copied with the pages whose
// marks were taken.

// watchStep bounds the work of one system call, during which the processor takes no
// interrupts, to cutting so many bytes into small pages.
const watchStep = 16 << 20

// watchable says why writes cannot be watched: they can.
func watchable() error { return nil }

// writtenPages returns the pages of some mapped ranges that may have been written since it was
// last asked about them. Of pages that it has not been asked about before it may say either.
func writtenPages(mapped []Range) (pages []Range, err error) {
	for _, r := range mapped {
		if err := watchPages(r); err != nil { // before marks are taken, or that of a large page could get lost
			return nil, err
		}
		pages = machine.tables.takeWritten(r, pages)
		if err := watchPages(r); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// watchPages makes small pages of r, and has all processors forget which of them they
// have written.
func watchPages(r Range) error {
	for done := uint64(0); done < r.Size; done += watchStep {
		if _, err := mmap(r.Base+Virt(done), min(watchStep, r.Size-done), mapPrivate|mapAnonymous|mapWatch); err != nil {
			return fmt.Errorf("%w: %#x: %w", ErrNoWatch, r, err)
		}
	}
	return nil
}

// unwatchPages ends the watch of mapped ranges. There is nothing to do: marks harm nobody.
func unwatchPages([]Range) {}
