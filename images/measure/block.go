package main

import "nuos/proclet"

// Block is the state that is called and moved: so many bytes.
type Block struct {
	bytes proclet.Slice[byte]
}

// Grow makes the block n bytes larger.
func (b *Block) Grow(t *proclet.Thread, n int) (int, error) {
	chunk := make([]byte, 64<<10)
	for i := range chunk {
		chunk[i] = byte(i)
	}
	for n > 0 {
		part := chunk[:min(n, len(chunk))]
		if err := b.bytes.Append(t, part...); err != nil {
			return 0, err
		}
		n -= len(part)
	}
	return b.bytes.Len(), nil
}

// Size returns how many bytes the block has: the least that a call can do.
func (b *Block) Size(t *proclet.Thread, _ struct{}) (int, error) { return b.bytes.Len(), nil }
