package dist

import "nuos/proclet"

// batchBytes is about how much is sent in one message when many elements are.
const batchBytes = 64 << 10

// batch collects elements for a message. It lies in Go's heap, or refers to the
// shard's, so it is used up before its maker waits for anything.
type batch[E any] struct {
	elems []E
	bytes uint64
}

func (b *batch[E]) add(e E) error {
	n, err := proclet.SizeOf(&e)
	if err != nil {
		return err
	}
	b.elems = append(b.elems, e)
	b.bytes += n
	return nil
}

func (b *batch[E]) full() bool { return b.bytes >= batchBytes }
