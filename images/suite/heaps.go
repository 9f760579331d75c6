package main

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"nuos/proclet"
)

// Slab allocates and frees, and knows what should be where.
type Slab struct {
	blocks proclet.Slice[proclet.Bytes]
}

// churn says how Churn is to use the heap.
type churn struct {
	Seed          uint64
	Blocks, Steps int
	Largest       int // bytes
}

// Churn gives blocks new sizes and contents, again and again, and checks that
// none was touched by what was done to others.
func (s *Slab) Churn(t *proclet.Thread, c churn) (bytes int, err error) {
	for s.blocks.Len() < c.Blocks {
		if err := s.blocks.Append(t, proclet.Bytes{}); err != nil {
			return 0, err
		}
	}
	random := c.Seed
	next := func(n int) int {
		random = random*6364136223846793005 + 1442695040888963407
		return int(random>>33) % n
	}
	for range c.Steps {
		i := next(c.Blocks)
		b := s.blocks.At(i)
		for k, v := range b.Bytes() {
			if v != pattern(i, b.Len(), k) {
				return 0, fmt.Errorf("byte %d of block %d of %d bytes is %d", k, i, b.Len(), v)
			}
		}
		size := 1 << next(17)
		size = min(size+next(size), c.Largest)
		if next(4) == 0 {
			b.Free(t)
			continue
		}
		b.Truncate(0)
		var part [256]byte
		for done := 0; done < size; {
			n := min(size-done, len(part))
			for k := range n {
				part[k] = pattern(i, size, done+k)
			}
			if err := b.Append(t, part[:n]); err != nil {
				return 0, err
			}
			done += n
		}
	}
	for _, b := range s.blocks.All() {
		bytes += b.Len()
	}
	return bytes, nil
}

// pattern is byte k of block i if that has so many bytes.
func pattern(i, size, k int) byte { return byte(i*31 + size*7 + k + k>>8) }

// Fill adds blocks of one size until the heap is full, and returns how many.
func (s *Slab) Fill(t *proclet.Thread, size int) (int, error) {
	s.blocks.Free(t)
	for n := 0; ; n++ {
		err := s.blocks.Append(t, proclet.Bytes{})
		for err == nil && s.blocks.At(n).Len() < size {
			var part [1024]byte
			err = s.blocks.At(n).Append(t, part[:min(size-s.blocks.At(n).Len(), len(part))])
		}
		if errors.Is(err, proclet.ErrHeapFull) {
			s.blocks.Free(t)
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// checkSlab: memory of all sizes is allocated and freed; a heap that was full can
// be filled again; what calls used is given back.
func checkSlab(s *suite) (string, error) {
	ref, err := proclet.New[Slab](s.t, proclet.Options{Capacity: 16 << 20})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	const blocks, largest = 50, 64 << 10
	rounds := s.times(20)
	bytes := 0
	for i := range rounds {
		if bytes, err = proclet.Call(s.t, ref, (*Slab).Churn, churn{s.seed + uint64(i), blocks, 100, largest}); err != nil {
			return "", err
		}
	}
	small, err := proclet.New[Slab](s.t, proclet.Options{Capacity: 1 << 20})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, small)
	random := s.random(3)
	for range s.times(10) {
		size := 1000 + random.IntN(20000)
		first, err := proclet.Call(s.t, small, (*Slab).Fill, size)
		if err != nil {
			return "", err
		}
		again, err := proclet.Call(s.t, small, (*Slab).Fill, size)
		if err != nil {
			return "", err
		}
		// Other sizes were there before the first time: free memory may lie in
		// pieces then, but not the second time.
		if first == 0 || again < first {
			return "", fmt.Errorf("%d blocks of %d bytes fit into an empty heap, and then %d", first, size, again)
		}
	}
	return fmt.Sprintf("%d blocks changed, %d bytes at the end", rounds*100, bytes), nil
}

// Table is a map that many call at once.
type Table struct {
	mu      proclet.RWMutex
	entries proclet.Map[proclet.String, int64]
}

// change is an operation on a Table.
type change struct {
	Key string
	By  int64
}

// Change adds to the value of a key, which is 0 if it has none; a key whose value is
// 0 is deleted.
func (tb *Table) Change(t *proclet.Thread, c change) (int64, error) {
	tb.mu.Lock(t)
	defer tb.mu.Unlock(t)
	v, err := tb.entries.Entry(t, proclet.View(c.Key))
	if err != nil {
		return 0, err
	}
	*v += c.By
	now := *v
	if now == 0 {
		tb.entries.Delete(t, proclet.View(c.Key))
	}
	return now, nil
}

// Get returns the value of a key.
func (tb *Table) Get(t *proclet.Thread, key string) (int64, error) {
	tb.mu.RLock(t)
	defer tb.mu.RUnlock(t)
	if v := tb.entries.Get(proclet.View(key)); v != nil {
		return *v, nil
	}
	return 0, nil
}

// Len returns how many keys have a value.
func (tb *Table) Len(t *proclet.Thread, _ struct{}) (int, error) {
	tb.mu.RLock(t)
	defer tb.mu.RUnlock(t)
	return tb.entries.Len(), nil
}

// checkSyncHashMap: many goroutines change a map; each knows what its keys must be.
func checkSyncHashMap(s *suite) (string, error) {
	ref, err := proclet.New[Table](s.t, proclet.Options{})
	if err != nil {
		return "", err
	}
	defer proclet.Release(s.t, ref)
	const workers, keys = 6, 200
	rounds := s.times(1500)
	left := make([]int, workers)
	err = together(workers, func(w int) error {
		random := rand.New(rand.NewPCG(s.seed, uint64(100+w)))
		model := map[string]int64{}
		for range rounds {
			key := fmt.Sprintf("key %d of worker %d", random.IntN(keys), w)
			if random.IntN(3) == 0 {
				got, err := proclet.Call(s.t, ref, (*Table).Get, key)
				if err := errors.Join(err, want(key, got, model[key])); err != nil {
					return err
				}
				continue
			}
			by := int64(random.IntN(3) - 1)
			model[key] += by
			got, err := proclet.Call(s.t, ref, (*Table).Change, change{key, by})
			if err := errors.Join(err, want(key, got, model[key])); err != nil {
				return err
			}
		}
		for _, v := range model {
			if v != 0 {
				left[w]++
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	all := 0
	for _, n := range left {
		all += n
	}
	n, err := proclet.Call(s.t, ref, (*Table).Len, struct{}{})
	return fmt.Sprintf("%d operations of %d workers", rounds*workers, workers), errors.Join(err, want("keys", n, all))
}
