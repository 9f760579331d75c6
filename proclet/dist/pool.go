package dist

import (
	"nuos/proclet"
)

// poolShard is the state of a shard of a [MemPool]. Objects are not in its state but
// beside it, in the heap.
type poolShard struct {
	holding[poolShard]
	ended bool
}

func (s *poolShard) start(t *proclet.Thread, o opening) (struct{}, error) {
	s.open(t, o)
	return struct{}{}, nil
}

func (s *poolShard) enter(t *proclet.Thread) error {
	s.lock(t)
	if s.ended {
		return errElsewhere
	}
	return nil
}

func allocRaw[T any](s *poolShard, t *proclet.Thread, v T) (a answer[proclet.RemotePtr[T]], err error) {
	if err = s.enter(t); err == nil {
		a.Result, err = proclet.NewRemote(t, v)
		a.wish = s.wish(t, false)
	}
	return a, err
}

func allocUnique[T any](s *poolShard, t *proclet.Thread, v T) (a answer[proclet.RemoteUnique[T]], err error) {
	if err = s.enter(t); err == nil {
		a.Result, err = proclet.NewRemoteUnique(t, v)
		a.wish = s.wish(t, false)
	}
	return a, err
}

func allocShared[T any](s *poolShard, t *proclet.Thread, v T) (a answer[proclet.RemoteShared[T]], err error) {
	if err = s.enter(t); err == nil {
		a.Result, err = proclet.NewRemoteShared(t, v)
		a.wish = s.wish(t, false)
	}
	return a, err
}

// size returns how many bytes objects use.
func (s *poolShard) size(t *proclet.Thread, _ struct{}) (uint64, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	return s.used(t), nil
}

// end keeps the shard from getting objects any more if it has none. It reports
// whether it does.
func (s *poolShard) end(t *proclet.Thread, _ struct{}) (bool, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	s.ended = s.ended || t.Objects() == 0
	return s.ended, nil
}

// pool is the state of the proclet that a [MemPool] refers to: it knows the shards.
// It is asked when a shard is full or busy. Shards never call it, so it may wait
// for them.
type pool struct {
	mu      proclet.Mutex
	options Options
	roomy   proclet.Slice[proclet.Ref[poolShard]] // get new objects
	full    proclet.Slice[proclet.Ref[poolShard]] // do not
	next    int                                   // which of these is looked at next
}

func (p *pool) start(t *proclet.Thread, o Options) (struct{}, error) {
	p.options = o
	return struct{}{}, p.widen(t)
}

// request asks for room; a shard that wants to split has told the caller so.
type request struct {
	shard proclet.ID
	wish  wish
}

// room returns the shards that get new objects.
func (p *pool) room(t *proclet.Thread, r request) ([]proclet.ID, error) {
	p.mu.Lock(t)
	defer p.mu.Unlock(t)
	if i := p.find(r.shard); i >= 0 && r.wish == wantSplit {
		bytes, err := proclet.Call(t, *p.roomy.At(i), (*poolShard).size, struct{}{})
		if err != nil || bytes > p.options.ShardBytes {
			if err := p.full.Append(t, *p.roomy.At(i)); err != nil {
				return nil, err
			}
			p.roomy.Delete(t, i, i+1)
		}
		if err := p.widen(t); err != nil {
			return nil, err
		}
	}
	if p.roomy.Len() == 0 {
		if err := p.widen(t); err != nil {
			return nil, err
		}
	}
	ids := make([]proclet.ID, p.roomy.Len())
	for i, s := range p.roomy.All() {
		ids[i] = s.ID()
	}
	return ids, nil
}

// find returns the index of a shard with room, or -1.
func (p *pool) find(id proclet.ID) int {
	for i, s := range p.roomy.All() {
		if s.ID() == id {
			return i
		}
	}
	return -1
}

// looks is at how many full shards a search for room looks.
const looks = 4

// widen adds a shard with room: one that was full and is not any more, or a new
// one.
func (p *pool) widen(t *proclet.Thread) error {
	for range min(looks, p.full.Len()) {
		p.next = (p.next + 1) % p.full.Len()
		if ok, err := p.reopen(t, p.next); ok || err != nil {
			return err
		}
	}
	s, err := proclet.New[poolShard](t, p.options.proclet())
	if err != nil {
		return err
	}
	defer proclet.Release(t, s)
	if _, err := proclet.Call(t, s, (*poolShard).start, opening{options: p.options}); err != nil {
		return err
	}
	return p.roomy.Append(t, s)
}

// reopen lets the i-th full shard have objects again if half of it is free, and
// reports whether it is.
func (p *pool) reopen(t *proclet.Thread, i int) (bool, error) {
	bytes, err := proclet.Call(t, *p.full.At(i), (*poolShard).size, struct{}{})
	if err != nil || bytes > p.options.ShardBytes/2 {
		return false, nil // a lost shard stays where it does no harm
	}
	if err := p.roomy.Append(t, *p.full.At(i)); err != nil {
		return false, err
	}
	p.full.Delete(t, i, i+1)
	return true, nil
}

// trim reopens all shards that can be, and ends the empty ones but one.
func (p *pool) trim(t *proclet.Thread, _ struct{}) (struct{}, error) {
	p.mu.Lock(t)
	defer p.mu.Unlock(t)
	for i := p.full.Len() - 1; i >= 0; i-- {
		if _, err := p.reopen(t, i); err != nil {
			return struct{}{}, err
		}
	}
	for i := p.roomy.Len() - 1; i >= 0 && p.roomy.Len() > 1; i-- {
		if ended, err := proclet.Call(t, *p.roomy.At(i), (*poolShard).end, struct{}{}); ended && err == nil {
			p.roomy.Delete(t, i, i+1)
		}
	}
	return struct{}{}, nil
}

func (p *pool) stats(t *proclet.Thread, _ struct{}) (PoolStats, error) {
	p.mu.Lock(t)
	defer p.mu.Unlock(t)
	st := PoolStats{Shards: p.roomy.Len() + p.full.Len(), Roomy: p.roomy.Len()}
	for _, list := range [...]*proclet.Slice[proclet.Ref[poolShard]]{&p.roomy, &p.full} {
		for i := range list.Len() {
			bytes, err := proclet.Call(t, *list.At(i), (*poolShard).size, struct{}{})
			if err != nil {
				return st, err
			}
			st.Bytes += bytes
		}
	}
	return st, nil
}
