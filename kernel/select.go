//go:build metal

package kernel

import (
	"math/bits"
	"syscall"
)

// select(2), which is poll(2) with three sets of descriptors in words of 64 bits: to
// read, to write, exceptions.

// selectEvents are what the sets ask for.
var selectEvents = [3]uint32{
	syscall.EPOLLIN | pollReadNormal | syscall.EPOLLHUP | syscall.EPOLLERR | pollInvalid,
	syscall.EPOLLOUT | pollWriteNormal | syscall.EPOLLERR | pollInvalid,
	pollPriority | pollInvalid,
}

// fdSets are the sets of a call: of descriptors below n, at the program's addresses,
// 0 for a set that is not there.
type fdSets struct {
	n  int32
	at [3]uint64
}

// load reads the words of descriptors from base on.
func (s *fdSets) load(base int32) (words [3]uint64, e syscall.Errno) {
	for k, at := range s.at {
		if at == 0 {
			continue
		}
		w, ok := loadUser64(at + uint64(base/8))
		if !ok {
			return words, eFAULT
		}
		if s.n-base < 64 {
			w &= 1<<uint(s.n-base) - 1
		}
		words[k] = w
	}
	return words, 0
}

// ready is what is the case of these words.
func (s *fdSets) ready(base int32) (words [3]uint64, e syscall.Errno) {
	asked, e := s.load(base)
	if e != 0 {
		return words, e
	}
	for all := asked[0] | asked[1] | asked[2]; all != 0; all &= all - 1 {
		bit := bits.TrailingZeros64(all)
		f := fileOf(base + int32(bit))
		if f == nil {
			return words, eBADF
		}
		r := uint32(pollInvalid)
		if f.kind != filePath {
			r = f.readiness()
		}
		for k := range words {
			if r&selectEvents[k] != 0 {
				words[k] |= asked[k] & (1 << uint(bit))
			}
		}
	}
	return words, 0
}

// count is how many descriptors of all sets are ready.
func (s *fdSets) count() (n uint64, e syscall.Errno) {
	for base := int32(0); base < s.n; base += 64 {
		words, e := s.ready(base)
		if e != 0 {
			return 0, e
		}
		for _, w := range words {
			n += uint64(bits.OnesCount64(w))
		}
	}
	return n, 0
}

// store gives the program the sets of what is ready.
func (s *fdSets) store() syscall.Errno {
	for base := int32(0); base < s.n; base += 64 {
		words, e := s.ready(base)
		if e != 0 {
			return e
		}
		for k, at := range s.at {
			if at != 0 && !storeUser64(at+uint64(base/8), words[k]) {
				return eFAULT
			}
		}
	}
	return 0
}

// watch has the epoll of the call watch all descriptors.
func (s *fdSets) watch(t *thread) syscall.Errno {
	if e := t.ownEpoll(); e != 0 {
		return e
	}
	for base := int32(0); base < s.n; base += 64 {
		words, e := s.load(base)
		if e != 0 {
			return e
		}
		for all := words[0] | words[1] | words[2]; all != 0; all &= all - 1 {
			bit := bits.TrailingZeros64(all)
			events := uint32(0)
			for k, w := range words {
				if w>>uint(bit)&1 != 0 {
					events |= selectEvents[k]
				}
			}
			if e := t.watch(base+int32(bit), events); e != 0 {
				return e
			}
		}
	}
	return 0
}

// selectFDs is select(2), with a timeout in ns.
func (c *cpu) selectFDs(t *thread, s *fdSets, timeout int64) uint64 {
	if s.n < 0 {
		return errno(eINVAL)
	}
	s.n = min(s.n, maxFDs)
	found, e := s.count()
	if e == 0 && found == 0 && timeout != 0 && !t.expired() {
		if t.owns == 0 {
			e = s.watch(t)
		}
		if e == 0 {
			return c.awaitEpoll(t, &files[t.owns-1], timeout)
		}
	}
	if e == 0 {
		e = s.store()
	}
	if e != 0 {
		found = errno(e)
	}
	return c.endPoll(t, found)
}

// selectTimeval is select(2) as it is, with a struct timeval that says at the end how
// much time is left.
func (c *cpu) selectTimeval(t *thread, n int32, in, out, except, at uint64) uint64 {
	timeout := int64(never)
	if at != 0 {
		sec, ok := loadUser64(at)
		usec, ok2 := loadUser64(at + 8)
		switch {
		case !ok || !ok2:
			return errno(eFAULT)
		case int64(sec) < 0 || int64(usec) < 0:
			return errno(eINVAL)
		}
		timeout = int64(min(sec, 1<<33)*1e9 + min(usec, 1<<50)*1e3)
	}
	r := c.selectFDs(t, &fdSets{n, [3]uint64{in, out, except}}, timeout)
	if r != blocked && at != 0 {
		storeTimeval(at, t.left(timeout))
	}
	return r
}

// pselect6 is pselect6(2). The signal mask and its size lie at mask.
func (c *cpu) pselect6(t *thread, n int32, in, out, except, at, mask uint64) uint64 {
	timeout, e := loadTimeout(at)
	set, size := uint64(0), uint64(0)
	if e == 0 && mask != 0 {
		var ok, ok2 bool
		set, ok = loadUser64(mask)
		size, ok2 = loadUser64(mask + 8)
		if !ok || !ok2 {
			e = eFAULT
		}
	}
	if e == 0 {
		e = t.swapMask(set, size)
	}
	if e != 0 {
		return errno(e)
	}
	r := c.selectFDs(t, &fdSets{n, [3]uint64{in, out, except}}, timeout)
	if r != blocked && at != 0 {
		storeTimespec(at, t.left(timeout))
	}
	return r
}
