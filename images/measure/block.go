package main

import "nuos/proclet"

// Block is the state that is called and moved: so many bytes.
type Block struct {
	bytes proclet.Slice[byte]
}

// Grow makes the block n bytes larger. An empty one then has room for no more.
func (b *Block) Grow(t *proclet.Thread, n int) (int, error) {
	bytes := make([]byte, n)
	for i := range bytes {
		bytes[i] = byte(i)
	}
	err := b.bytes.Append(t, bytes...)
	return b.bytes.Len(), err
}

// Size returns how many bytes the block has: the least that a call can do.
func (b *Block) Size(t *proclet.Thread, _ struct{}) (int, error) { return b.bytes.Len(), nil }
