package main

import (
	"fmt"
	"sync/atomic"
	"time"

	"nuos/proclet"
)

// What is moved beside plain bytes: state of many values, threads that wait inside, and
// state that is written all the time.

// Store is state as many values of 100 bytes, as a store has them.
type Store struct {
	values proclet.Map[proclet.String, proclet.Bytes]
}

const valueSize = 100

// Fill puts so many bytes of values into the store.
func (s *Store) Fill(t *proclet.Thread, bytes int) (int, error) {
	value := make([]byte, valueSize)
	for i := range (bytes + valueSize - 1) / valueSize {
		value[0] = byte(i)
		if err := s.values.Put(t, proclet.View(fmt.Sprintf("key:%08d", i)), proclet.BytesOf(value)); err != nil {
			return 0, err
		}
	}
	return s.values.Len(), nil
}

// Hall is a block in which threads wait.
type Hall struct {
	block   Block
	mu      proclet.Mutex
	never   proclet.Cond // of mu
	waiting int
}

// crowd is how many bytes and threads there are in a Hall.
type crowd struct{ Bytes, Threads int }

// Enter fills the hall. The threads wait for ever.
func (h *Hall) Enter(t *proclet.Thread, c crowd) (int, error) {
	if _, err := h.block.Grow(t, c.Bytes); err != nil {
		return 0, err
	}
	for range c.Threads {
		if _, err := proclet.Start(t, (*Hall).wait, struct{}{}); err != nil {
			return 0, err
		}
	}
	for {
		h.mu.Lock(t)
		n := h.waiting
		h.mu.Unlock(t)
		if n == c.Threads {
			return n, nil
		}
		t.Sleep(time.Millisecond)
	}
}

func (h *Hall) wait(t *proclet.Thread, _ struct{}) {
	h.mu.Lock(t)
	defer h.mu.Unlock(t)
	h.waiting++
	for {
		h.never.Wait(t, &h.mu)
	}
}

// line is what one write of a Slate changes.
type line [64]byte

// Slate is state that is written all the time, from its beginning to its end, at an even rate.
type Slate struct {
	lines   proclet.Slice[line]
	written int // lines
	over    atomic.Bool
	done    proclet.Promise[int]
}

// writeEvery is how long a Slate's writer sleeps between two bursts. Moves wait for nobody
// who sleeps.
const writeEvery = time.Millisecond

// Clean makes the slate so many bytes large.
func (s *Slate) Clean(t *proclet.Thread, bytes int) (int, error) {
	var some [1024]line
	for s.lines.Len()*len(line{}) < bytes {
		if err := s.lines.Append(t, some[:]...); err != nil {
			return 0, err
		}
	}
	return s.lines.Len() * len(line{}), nil
}

// Scribble starts a thread that writes so many bytes per second.
func (s *Slate) Scribble(t *proclet.Thread, perSecond int) (struct{}, error) {
	_, err := proclet.Start(t, (*Slate).scribble, perSecond)
	return struct{}{}, err
}

func (s *Slate) scribble(t *proclet.Thread, perSecond int) {
	start := t.Now().UnixNano()
	seconds := func() float64 { return float64(t.Now().UnixNano()-start) / float64(time.Second) }
	for !s.over.Load() {
		// As many as are due by now, but never more than ten bursts: what a move has kept
		// from being written is not made up for in one go.
		due := int(float64(perSecond)*seconds())/len(line{}) - s.written
		most := perSecond / len(line{}) * 10 / int(time.Second/writeEvery)
		for range min(due, most) {
			at := s.lines.At(s.written % s.lines.Len())
			at[0]++
			at[63] = at[0]
			s.written++
		}
		t.Sleep(writeEvery)
	}
	s.done.Set(t, int(float64(s.written*len(line{}))/seconds()))
}

// Stop ends the writing and returns how many bytes were written per second.
func (s *Slate) Stop(t *proclet.Thread, _ struct{}) (int, error) {
	s.over.Store(true)
	return s.done.Wait(t)
}
