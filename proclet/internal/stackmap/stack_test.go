package stackmap

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/mm"
)

// What Stack says may be pointed to.
func TestOwn(t *testing.T) {
	heap := uintptr(mm.HeapArea.Base) + 4096
	stack := uintptr(mm.StackArea.Base) + 4096
	foreign := uintptr(mm.AnonArea.Base) + 4096
	arena := []mm.Range{{Base: mm.Virt(foreign), Size: 64}, {Base: mm.Virt(stack), Size: 64}}
	for _, c := range []struct {
		name string
		p    uintptr
		own  []mm.Range
		want string
	}{
		{"heap of a proclet", heap, nil, ""},
		{"stack of a thread", stack, nil, "a pointer into the stack of another thread"},
		{"memory of the process", foreign, nil, "a pointer to memory of this process"},
		{"own, first byte", foreign, arena, ""},
		{"own, last byte", stack + 63, arena, ""},
		{"after own", stack + 64, arena, "a pointer into the stack of another thread"},
		{"before own", foreign - 1, arena, "a pointer to memory of this process"},
		{"below the program", 4096, nil, "a pointer to memory of this process"},
		{"no address", 1 << 50, nil, "a pointer to memory of this process"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pointer, own = at(c.p), c.own
			defer func() { own = nil }()
			expect(t, run(t, livePointer), c.want)
		})
	}
}

//go:noinline
func livePointer() {
	p := pointer
	leave()
	keep(p)
}

var line int

//go:noinline
func liveOnLine() {
	p := newInt()
	_, _, line, _ = runtime.Caller(0)
	leave() // one line below
	keep(p)
}

func TestRefusal(t *testing.T) {
	err := run(t, liveOnLine)
	var r *Refusal
	if !errors.As(err, &r) {
		t.Fatalf("Check() = %v; want a *Refusal", err)
	}
	if !strings.HasSuffix(r.Func, "/stackmap.liveOnLine") || filepath.Base(r.File) != "stack_test.go" || r.Line != line+1 {
		t.Errorf("%+v; want liveOnLine, line %d of stack_test.go", r, line+1)
	}
	if r.Value != uintptr(at(r.Value)) || at(r.Value) != pointerOf(probeSink) {
		t.Errorf("%+v; want the value %p", r, probeSink)
	}
	if size := lookup(lastPC).size; r.Offset < 0 || r.Offset >= int(size) || r.Offset%8 != 0 {
		t.Errorf("%+v; want an offset in a frame of %d bytes", r, size)
	}
	if strings.ContainsAny(err.Error(), "\n") {
		t.Errorf("%q; want one line", err)
	}
}

// A part that ends in the middle of a frame is refused.
func TestPart(t *testing.T) {
	for {
		passed = 0
		part = 8
		moved := !mark(numbers)
		part = 0
		if !moved {
			break
		}
	}
	expect(t, outcome, "a frame that reaches beyond the checked part")
}

func TestFramePointer(t *testing.T) {
	err := Check(lookup(1).key, 8, 16, Stack{Lo: 0, Hi: 12})
	expect(t, err, "a frame pointer")
	err = Check(1, 8, 0, Stack{Lo: 0, Hi: 12})
	expect(t, err, "a return address that belongs to no function")
}

// Collections do not disturb checks.
func TestDuringCollections(t *testing.T) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			runtime.GC()
		}
	})
	defer wg.Wait()
	defer stop.Store(true)
	for range 20 {
		for _, c := range append(cases[:len(cases):len(cases)], interfaceCases...) {
			err := run(t, c.f)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%s: Check() = %v; want %q", c.name, err, c.want)
			}
		}
	}
}

// What reflect's assembly code was called with is known to the runtime only.
func TestReflectStubs(t *testing.T) {
	m, found := lastmoduledatap, 0
	for _, e := range m.ftab[:len(m.ftab)-1] {
		pc := m.text + uintptr(e.entryoff)
		switch runtime.FuncForPC(pc).Name() {
		case "reflect.makeFuncStub", "reflect.methodValueCall":
			found++
			if s := newSite(findfunc(pc).end() - 1); !strings.Contains(s.flaw, "made by reflection") {
				t.Errorf("the flaw of a frame of %s is %q", runtime.FuncForPC(pc).Name(), s.flaw)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d functions were found; want 2", found)
	}
}

var workers struct {
	wg     sync.WaitGroup
	failed atomic.Pointer[string]
}

// Many check at the same time, frames that nobody knows yet.
func TestConcurrently(t *testing.T) {
	sites.table.Store(newSiteTable(1))
	sites.mu.Lock()
	sites.count = 0
	sites.mu.Unlock()
	for range 8 {
		workers.wg.Add(1)
		go worker()
	}
	workers.wg.Wait()
	if s := workers.failed.Load(); s != nil {
		t.Error(*s)
	}
}

func worker() {
	grow()
	for range 200 {
		descend(20)
	}
	workers.wg.Done()
}

//go:noinline
func descend(n int) {
	if n > 0 {
		descend(n - 1)
		return
	}
	if err, moved := checkToTop(); err != nil && !moved {
		s := err.Error()
		workers.failed.Store(&s)
	}
}

// checkToTop checks the goroutine's stack from its caller on. It also reports
// whether the runtime moved the stack meanwhile.
//
//go:noinline
func checkToTop() (err error, moved bool) {
	pc, sp, bp := caller()
	err = Check(pc, sp, bp, Stack{Lo: sp, Hi: top(pc, sp)})
	_, now, _ := caller()
	return err, now != sp
}

// All calls of the program have sites, each its own.
func TestSites(t *testing.T) {
	seen := map[*site]uintptr{}
	calls(func(_ funcInfo, pc uintptr) {
		s := lookup(pc)
		if s.pc() != pc || s.flaw != "" || s.size < 8 || s.size > 1<<20 {
			t.Errorf("lookup(%#x) is for %#x, flaw %q, size %d", pc, s.pc(), s.flaw, s.size)
		}
		seen[s] = pc
	})
	for s, pc := range seen {
		if lookup(pc) != s {
			t.Errorf("lookup(%#x) has changed", pc)
		}
	}
	if len(seen) < 1000 {
		t.Errorf("%d sites; want thousands", len(seen))
	}
}
