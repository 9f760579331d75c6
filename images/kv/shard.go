package main

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"nuos/proclet"
)

// maxValue is the largest value in bytes that a key may have.
const maxValue = 1 << 20

// Shard is the root object of one proclet: the keys whose hash selects it.
//
// Calls may come from many threads at once; mu lets one in at a time.
type Shard struct {
	mu      proclet.Mutex
	entries proclet.Map[proclet.String, entry]
}

type entry struct {
	value   proclet.String
	expires int64 // Unix milliseconds, 0 for never
}

// Apply carries out ops in order, with no operation of another call in between.
func (s *Shard) Apply(t *proclet.Thread, ops []Op) ([]Reply, error) {
	s.mu.Lock(t)
	defer s.mu.Unlock(t)
	now := time.Now().UnixMilli()
	replies := make([]Reply, len(ops))
	for i := range ops {
		replies[i] = s.apply(t, &ops[i], now)
	}
	return replies, nil
}

func (s *Shard) apply(t *proclet.Thread, op *Op, now int64) Reply {
	switch op.Do {
	case Count:
		return s.count(now)
	case Flush:
		s.entries.Clear(t)
		return Reply{Kind: OK}
	case Scan:
		return s.scan(op, now)
	}
	key := proclet.View(op.Key)
	e := s.entries.Get(key)
	if e != nil && e.expired(now) {
		s.entries.Delete(t, key)
		e = nil
	}
	switch op.Do {
	case Set:
		return s.set(t, op, e)
	case Add:
		return s.add(t, op, e)
	case Append:
		return s.append(t, op, e)
	}
	if e == nil {
		return missing(op.Do)
	}
	switch op.Do {
	case Get:
		return text(strings.Clone(e.value.String()))
	case GetDel:
		r := text(strings.Clone(e.value.String()))
		s.entries.Delete(t, key)
		return r
	case Delete:
		return boolean(s.entries.Delete(t, key))
	case Exists:
		return integer(1)
	case Length:
		return integer(int64(e.value.Len()))
	case Expires:
		return integer(e.expires)
	case Persist:
		had := e.expires != 0
		e.expires = 0
		return boolean(had)
	case Expire:
		if e.expires = op.Expires; e.expired(now) {
			s.entries.Delete(t, key)
		}
		return integer(1)
	}
	return failed("ERR unknown operation " + strconv.Itoa(int(op.Do)))
}

// missing is the reply of an operation on a key that is not there.
func missing(do Verb) Reply {
	switch do {
	case Get, GetDel:
		return Reply{}
	case Expires:
		return integer(-2)
	}
	return integer(0)
}

func (e *entry) expired(now int64) bool { return e.expires != 0 && e.expires <= now }

func (s *Shard) set(t *proclet.Thread, op *Op, e *entry) Reply {
	done, expires := Reply{Kind: OK}, op.Expires
	if op.Old {
		done = Reply{}
	}
	if e != nil && op.Old {
		done = text(strings.Clone(e.value.String()))
	}
	if op.If == IfMissing && e != nil || op.If == IfPresent && e == nil {
		if !op.Old {
			done = Reply{}
		}
		return done
	}
	if e != nil && op.KeepTTL {
		expires = e.expires
	}
	return s.store(t, op.Key, op.Value, expires, done)
}

func (s *Shard) add(t *proclet.Thread, op *Op, e *entry) Reply {
	n, expires := int64(0), int64(0)
	if e != nil {
		var err error
		if n, err = strconv.ParseInt(e.value.String(), 10, 64); err != nil {
			return failed("ERR value is not an integer or out of range")
		}
		expires = e.expires
	}
	if op.N > 0 && n > math.MaxInt64-op.N || op.N < 0 && n < math.MinInt64-op.N {
		return failed("ERR increment or decrement would overflow")
	}
	n += op.N
	return s.store(t, op.Key, strconv.FormatInt(n, 10), expires, integer(n))
}

func (s *Shard) append(t *proclet.Thread, op *Op, e *entry) Reply {
	if e == nil {
		return s.store(t, op.Key, op.Value, 0, integer(int64(len(op.Value))))
	}
	if e.value.Len()+len(op.Value) > maxValue {
		return failed("ERR string exceeds maximum allowed size (1 MiB)")
	}
	if err := e.value.Append(t, op.Value); err != nil {
		return refused(err)
	}
	return integer(int64(e.value.Len()))
}

// store gives key a value and answers done, or says why it could not.
func (s *Shard) store(t *proclet.Thread, key, value string, expires int64, done Reply) Reply {
	if err := s.entries.Put(t, proclet.View(key), entry{proclet.View(value), expires}); err != nil {
		return refused(err)
	}
	return done
}

func refused(err error) Reply {
	if errors.Is(err, proclet.ErrHeapFull) {
		return failed("OOM command not allowed when the shard's heap is full")
	}
	return failed("ERR " + err.Error())
}

func (s *Shard) count(now int64) Reply {
	n := int64(0)
	for _, e := range s.entries.All() {
		if !e.expired(now) {
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
		if e.expired(now) {
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
