package main

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"nuos/proclet"
)

// maxValue is the largest value in bytes that a key may have.
const maxValue = 1 << 20

// Shard is the root object of one proclet: the keys whose hash selects it.
//
// Calls may come from many threads at once, so a spin lock serialises them: no
// operation waits for anything, and the lock word moves with the shard.
type Shard struct {
	mu      spin
	entries proclet.Map[proclet.String, entry]
}

type entry struct {
	value   proclet.String
	expires int64 // Unix milliseconds, 0 for never
}

// Apply carries out ops in order, with no operation of another call in between.
func (s *Shard) Apply(t *proclet.Thread, ops []Op) ([]Reply, error) {
	s.mu.lock()
	defer s.mu.unlock()
	now := time.Now().UnixMilli()
	replies := make([]Reply, len(ops))
	for i := range ops {
		replies[i] = s.apply(t, &ops[i], now)
	}
	return replies, nil
}

func (s *Shard) apply(t *proclet.Thread, op *Op, now int64) Reply {
	key := proclet.View(op.Key)
	switch op.Do {
	case Count:
		return s.count(now)
	case Flush:
		s.entries.Clear(t)
		return Reply{Kind: OK}
	case Scan:
		return s.scan(op, now)
	}
	e, found := s.entries.Get(key)
	if found && e.expires != 0 && e.expires <= now {
		s.entries.Delete(t, key)
		e, found = entry{}, false
	}
	switch op.Do {
	case Get, GetDel:
		if !found {
			return Reply{}
		}
		r := text(strings.Clone(e.value.String()))
		if op.Do == GetDel {
			s.entries.Delete(t, key)
		}
		return r
	case Set:
		return s.set(t, op, key, e, found)
	case Delete:
		return boolean(s.entries.Delete(t, key))
	case Exists:
		return boolean(found)
	case Add:
		return s.add(t, op, key, e)
	case Append:
		return s.append(t, op, key, e)
	case Length:
		return integer(int64(e.value.Len()))
	case Expire, Persist:
		if !found || op.Do == Persist && e.expires == 0 {
			return integer(0)
		}
		if op.Do == Expire && op.Expires <= now {
			s.entries.Delete(t, key)
			return integer(1)
		}
		e.expires = op.Expires
		return s.store(t, key, e, integer(1))
	case Expires:
		if !found {
			return integer(-2)
		}
		return integer(e.expires)
	}
	return failed("ERR unknown operation " + strconv.Itoa(int(op.Do)))
}

func (s *Shard) set(t *proclet.Thread, op *Op, key proclet.String, e entry, found bool) Reply {
	before := Reply{}
	if op.Old && found {
		before = text(strings.Clone(e.value.String()))
	}
	if op.If == IfMissing && found || op.If == IfPresent && !found {
		return before
	}
	done := Reply{Kind: OK}
	if op.Old {
		done = before
	}
	if !op.KeepTTL {
		e.expires = op.Expires
	}
	e.value = proclet.View(op.Value)
	return s.store(t, key, e, done)
}

func (s *Shard) add(t *proclet.Thread, op *Op, key proclet.String, e entry) Reply {
	n := int64(0)
	if e.value.Len() > 0 {
		var err error
		if n, err = strconv.ParseInt(e.value.String(), 10, 64); err != nil {
			return failed("ERR value is not an integer or out of range")
		}
	}
	if op.N > 0 && n > math.MaxInt64-op.N || op.N < 0 && n < math.MinInt64-op.N {
		return failed("ERR increment or decrement would overflow")
	}
	n += op.N
	e.value = proclet.View(strconv.FormatInt(n, 10))
	return s.store(t, key, e, integer(n))
}

func (s *Shard) append(t *proclet.Thread, op *Op, key proclet.String, e entry) Reply {
	if e.value.Len()+len(op.Value) > maxValue {
		return failed("ERR string exceeds maximum allowed size (1 MiB)")
	}
	e.value = proclet.View(e.value.String() + op.Value)
	return s.store(t, key, e, integer(int64(e.value.Len())))
}

// store puts e at key and answers done, or says why it could not.
func (s *Shard) store(t *proclet.Thread, key proclet.String, e entry, done Reply) Reply {
	switch err := s.entries.Set(t, key, e); {
	case errors.Is(err, proclet.ErrHeapFull):
		return failed("OOM command not allowed when the shard's heap is full")
	case err != nil:
		return failed("ERR " + err.Error())
	}
	return done
}

func (s *Shard) count(now int64) Reply {
	n := int64(0)
	for _, e := range s.entries.All() {
		if e.expires == 0 || e.expires > now {
			n++
		}
	}
	return integer(n)
}

// scan answers with the op.N keys that follow op.Cursor in the order of their
// positions, and all that share the last one's position. The order does not
// depend on where the keys lie, so a key that stays is seen exactly once however
// much the shard grows, shrinks or moves meanwhile.
func (s *Shard) scan(op *Op, now int64) Reply {
	type found struct {
		pos uint64
		key string
	}
	var keys []found
	for k, e := range s.entries.All() {
		if e.expires != 0 && e.expires <= now {
			continue
		}
		if p := position(k.String()); p > op.Cursor {
			keys = append(keys, found{p, strings.Clone(k.String())})
		}
	}
	slices.SortFunc(keys, func(a, b found) int { return cmp.Compare(a.pos, b.pos) })
	page := Reply{Kind: Page}
	for i, k := range keys {
		if int64(i) >= op.N && k.pos != keys[i-1].pos {
			page.N = int64(keys[i-1].pos)
			break
		}
		page.Keys = append(page.Keys, k.key)
	}
	return page
}

// spin is a mutual exclusion lock for sections that never wait. Its holder is
// always running or about to run: a proclet moves only between calls.
type spin struct{ held atomic.Uint32 }

func (l *spin) lock() {
	for i := 0; !l.held.CompareAndSwap(0, 1); i++ {
		if i%64 == 63 {
			time.Sleep(time.Microsecond)
		}
	}
}

func (l *spin) unlock() { l.held.Store(0) }
