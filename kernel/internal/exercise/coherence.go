package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Translations on all processors: when a call that changes the address space has
// returned, no processor uses what was before. On one a thread changes slots of memory, on
// each of the others one accesses them all the time and compares with what the slot's
// state says. An access counts if the state is the same before and after it.

// slot is some pages that are changed together. state says what they are, with a
// number that never comes again; a slot that is being changed may be anything. value
// is in the first word of each page, written before the state.
type slot struct {
	base, pages uintptr
	away        uintptr // where its pages are moved to
	state       atomic.Uint64
	value       atomic.Uint64
}

const (
	changing uint64 = iota
	unmapped
	movedAway
	noAccess
	readOnlyPages
	readWritePages
	slotStates

	stateBits = 3
)

func kindOf(state uint64) uint64 { return state & (1<<stateBits - 1) }

type coherenceTest struct {
	slots   []slot
	serial  uint64                    // of the last state
	focus   atomic.Pointer[slot]      // what all readers look at besides others
	checked []atomic.Uint64           // by reader: the state of the focus that it has checked last
	seen    [slotStates]atomic.Uint64 // accesses that counted, by kind of state
	failure atomic.Pointer[error]
	over    atomic.Bool
}

// coherence makes args[0] changes, and more until there was memory of every kind.
func coherence(args []string) error {
	changes := 1000
	if len(args) > 0 {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		changes = n
	}
	seed := uint64(time.Now().UnixNano())
	n := max(runtime.NumCPU()-1, 1)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n + 1)) // all are threads
	var t coherenceTest
	t.checked = make([]atomic.Uint64, n)
	random := rand.New(rand.NewPCG(seed, 0))
	if err := t.makeSlots(); err != nil {
		return err
	}
	t.focus.Store(&t.slots[0])
	var wg sync.WaitGroup
	for reader := range n {
		wg.Go(func() { t.read(reader, rand.New(rand.NewPCG(seed, uint64(reader)+1))) })
	}
	var err error
	for i := 0; (i < changes || !t.seenAll()) && err == nil; i++ {
		s := &t.slots[random.IntN(len(t.slots))]
		t.focus.Store(s)
		t.waitChecked(s) // every reader has the translation that is to go
		if err = t.change(s, random); err == nil {
			t.waitChecked(s)
		}
		if e := t.failure.Load(); e != nil {
			err = *e
		}
	}
	t.over.Store(true)
	wg.Wait()
	if err != nil {
		return fmt.Errorf("seed %#x: %w", seed, err)
	}
	fmt.Printf("coherence: seed %#x, accesses to memory that was not mapped, moved, without access, read-only, writable:", seed)
	for kind := unmapped; kind < slotStates; kind++ {
		fmt.Printf(" %d", t.seen[kind].Load())
	}
	fmt.Println()
	return nil
}

// seenAll reports whether memory of every kind was accessed.
func (t *coherenceTest) seenAll() bool {
	for kind := unmapped; kind < slotStates; kind++ {
		if t.seen[kind].Load() == 0 {
			return false
		}
	}
	return true
}

// waitChecked waits until all readers have compared an access with the state of s.
func (t *coherenceTest) waitChecked(s *slot) {
	state := s.state.Load()
	for i := range t.checked {
		for t.checked[i].Load() != state && t.failure.Load() == nil {
			runtime.Gosched()
		}
	}
}

const protNone = syscall.PROT_NONE

// makeSlots maps slots of various sizes: some pages are forgotten one by one, many at once.
// They lie where nobody maps anything who does not ask for it, since what is unmapped is
// mapped again later.
func (t *coherenceTest) makeSlots() error {
	t.slots = make([]slot, 12)
	const fixedNoReplace = 0x100000
	next := uintptr(0x2000_0000_0000)
	for i := range t.slots {
		s := &t.slots[i]
		s.pages = []uintptr{1, 2, 5, 150}[i%4]
		s.base, s.away = next, next+s.pages*4096
		next += 2 * s.pages * 4096
		_, _, errno := syscall.Syscall6(syscall.SYS_MMAP, s.base, s.pages*4096, protNone,
			syscall.MAP_ANON|syscall.MAP_PRIVATE|fixedNoReplace, ^uintptr(0), 0)
		if errno != 0 {
			return errno
		}
		t.publish(s, noAccess, 0)
	}
	return nil
}

func (t *coherenceTest) publish(s *slot, kind, value uint64) {
	t.serial++
	s.value.Store(value)
	s.state.Store(t.serial<<stateBits | kind)
}

// change makes something else of s.
func (t *coherenceTest) change(s *slot, random *rand.Rand) error {
	const mayMove, fixed = 1, 2
	was, value := kindOf(s.state.Load()), s.value.Load()
	size := s.pages * 4096
	call := func(nr, a, b, c, d, e uintptr) error {
		if _, _, errno := syscall.Syscall6(nr, a, b, c, d, e, 0); errno != 0 {
			return fmt.Errorf("system call %d: %w", nr, errno)
		}
		return nil
	}
	fresh := func() error { // over whatever is there
		_, _, errno := syscall.Syscall6(syscall.SYS_MMAP, s.base, size, readWrite,
			syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_FIXED, ^uintptr(0), 0)
		if errno != 0 {
			return errno
		}
		value = t.serial
		for page := range s.pages {
			*(*uint64)(at(s.base + page*4096)) = value
		}
		return nil
	}
	s.state.Store(changing)
	var kind uint64
	var err error
	switch do := random.IntN(6); {
	case was == movedAway:
		// With what it had, which readers may have changed but for the first word.
		kind, err = readWritePages, call(syscall.SYS_MREMAP, s.away, size, size, mayMove|fixed, s.base)
	case was == unmapped || do == 0:
		kind, err = readWritePages, fresh()
	case do == 1:
		kind, err = unmapped, call(syscall.SYS_MUNMAP, s.base, size, 0, 0, 0)
	case do == 2 && was == readWritePages:
		kind, err = movedAway, call(syscall.SYS_MREMAP, s.base, size, size, mayMove|fixed, s.away)
	case do == 3 && was >= readOnlyPages:
		kind, value, err = was, 0, call(syscall.SYS_MADVISE, s.base, size, syscall.MADV_DONTNEED, 0, 0)
	default:
		kind = []uint64{noAccess, readOnlyPages, readWritePages}[random.IntN(3)]
		prot := map[uint64]uintptr{noAccess: protNone, readOnlyPages: syscall.PROT_READ, readWritePages: readWrite}[kind]
		err = call(syscall.SYS_MPROTECT, s.base, size, prot, 0, 0)
	}
	t.publish(s, kind, value)
	return err
}

// read accesses slots until the test is over.
func (t *coherenceTest) read(reader int, random *rand.Rand) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	for i := 0; !t.over.Load(); i++ {
		s := t.focus.Load()
		if i%2 != 0 {
			s = &t.slots[random.IntN(len(t.slots))]
		}
		before, value := s.state.Load(), s.value.Load()
		page := s.base + uintptr(random.Uint64N(uint64(s.pages)))*4096
		got, fault := loadAt(page)
		writeFault := storeAt(page+64*uintptr(reader+1), uint64(i))
		if s.state.Load() != before || kindOf(before) == changing {
			continue
		}
		kind := kindOf(before)
		switch {
		case fault != (kind < readOnlyPages):
			t.fail(fmt.Errorf("processor's thread %d, a page in state %d: reading faults: %t, and gives %#x", reader, kind, fault, got))
		case writeFault != (kind < readWritePages):
			t.fail(fmt.Errorf("processor's thread %d, a page in state %d: writing faults: %t", reader, kind, writeFault))
		case !fault && got != value:
			t.fail(fmt.Errorf("processor's thread %d, a page in state %d: %#x, want %#x", reader, kind, got, value))
		}
		t.seen[kind].Add(1)
		if s == t.focus.Load() {
			t.checked[reader].Store(before)
		}
	}
}

func (t *coherenceTest) fail(err error) { t.failure.CompareAndSwap(nil, &err) }

func loadAt(addr uintptr) (v uint64, fault bool) {
	defer func() { fault = recover() != nil }()
	return *(*uint64)(at(addr)), false
}

func storeAt(addr uintptr, v uint64) (fault bool) {
	defer func() { fault = recover() != nil }()
	*(*uint64)(at(addr)) = v
	return false
}
