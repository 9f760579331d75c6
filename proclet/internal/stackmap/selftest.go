package stackmap

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// knownGo are the releases whose sources this package was written for.
var knownGo = []string{"go1.26"}

// SelfTest verifies that the runtime of this program has the layouts that
// this package was written for. Its error names the version of the runtime.
// A program whose SelfTest fails must not rely on Check.
func SelfTest() error {
	for _, test := range []func() error{testRelease, testModule, testFunctions, testUnwinding, testPanics, testProbes} {
		if err := test(); err != nil {
			return fmt.Errorf("stackmap: stacks cannot be checked with the runtime of %s: %w", runtime.Version(), err)
		}
	}
	return nil
}

func testRelease() error {
	for _, known := range knownGo {
		if v := runtime.Version(); v == known || strings.HasPrefix(v, known+".") {
			return nil
		}
	}
	return fmt.Errorf("this program knows %s only", strings.Join(knownGo, ", "))
}

func testModule() error {
	m := lastmoduledatap
	pc, _, _, _ := runtime.Caller(0)
	switch {
	case pc < m.text || pc >= m.etext || !m.plausible():
		return errors.New("the sections of the program are not where they should be")
	case findfunc(pc).datap != m:
		return errors.New("the program has several modules")
	case len(m.textsectmap) > 1:
		return errors.New("the program has several text sections")
	case itabTable == nil:
		return errors.New("runtime.itabTable was not found")
	}
	return nil
}

// plausible reports whether m has the sections of a program.
func (m *moduledata) plausible() bool {
	return slices.IsSorted([]uintptr{
		m.text, m.etext, m.rodata, m.types, m.etypes, m.noptrdata, m.enoptrdata,
		m.data, m.edata, m.bss, m.ebss, m.noptrbss, m.enoptrbss, m.end,
	})
}

// testFunctions verifies what is known about the kinds of functions.
func testFunctions() error {
	type kind struct{ id, flags uint8 }
	want := map[string]kind{
		"runtime.asyncPreempt": {funcIDAsyncPreempt, funcFlagAsm},
		"runtime.debugCallV2":  {funcIDDebugCallV2, funcFlagAsm},
		"runtime.gopanic":      {funcIDGopanic, 0},
		"runtime.sigpanic":     {funcIDSigpanic, 0},
		"runtime.goexit":       {funcIDGoexit, funcFlagTopFrame | funcFlagAsm},
		"runtime.mcall":        {funcIDMcall, funcFlagSPWrite | funcFlagAsm},
	}
	m := lastmoduledatap
	for _, e := range m.ftab[:len(m.ftab)-1] {
		pc := m.text + uintptr(e.entryoff)
		f, name := findfunc(pc), runtime.FuncForPC(pc).Name()
		if f.entry() != pc {
			return fmt.Errorf("%s begins at %#x, not at %#x", name, f.entry(), pc)
		}
		if k, ok := want[name]; ok {
			if f.funcID != k.id || f.flag != k.flags {
				return fmt.Errorf("%s is of kind %d with flags %#x, not %d with %#x", name, f.funcID, f.flag, k.id, k.flags)
			}
			delete(want, name)
		}
	}
	for name := range want {
		if name != "runtime.debugCallV2" { // may be left out
			return fmt.Errorf("%s was not found", name)
		}
	}
	return nil
}

// testUnwinding compares the frames that a check sees with those that the
// runtime sees.
func testUnwinding() error {
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = nested(5)
	}()
	<-done
	return err
}

//go:noinline
func nested(n int) error {
	if n > 0 {
		if err := nested(n - 1); err != nil {
			return err
		}
		return nil
	}
	return compareFrames()
}

//go:noinline
func compareFrames() error {
	grow()
	var ours []string
	key, sp, _ := caller()
	for {
		s := lookup(key)
		if s.flaw != "" {
			return fmt.Errorf("%s at %#x", s.flaw, key)
		}
		ours = append(ours, runtime.FuncForPC(findfunc(s.pc()).entry()).Name())
		if s.top {
			break
		}
		sp += s.size
		key = load(sp - 8)
	}
	var theirs []string
	pcs := make([]uintptr, 100)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); f.Func != nil { // otherwise it is inlined
			theirs = append(theirs, f.Func.Name())
		}
	}
	if !slices.Equal(ours, theirs) {
		return fmt.Errorf("a stack of %v looks like %v", theirs, ours)
	}
	return nil
}

// testPanics verifies what is known of records of panics.
func testPanics() error {
	for {
		_, before, _ := caller()
		err := nestPanics()
		if _, now, _ := caller(); now == before { // the runtime has not moved the stack
			return err
		}
	}
}

// nestPanics looks at the records of a panic and of one that interrupts it.
//
//go:noinline
func nestPanics() error {
	const first, second = uintptr(17), uintptr(18)
	var outer, inner _panic
	var outerAt uintptr
	func() {
		defer func() { recover() }()
		defer func() {
			_, outerAt = chains()
			outer = *(*_panic)(at(outerAt))
			defer func() {
				_, innerAt := chains()
				inner = *(*_panic)(at(innerAt))
			}()
			panic(second)
		}()
		panic(first)
	}()
	if _, p := chains(); p == 0 && outer.link == 0 && inner.link == outerAt &&
		load(outer.arg[1]) == first && load(inner.arg[1]) == second {
		return nil
	}
	return errors.New("records of panics are not what they should be")
}

// probing is the probe that runs; mu guards the rest, which belongs to the
// probe's goroutine meanwhile. Probes can only be static functions: their
// frames must hold nothing but what is tested.
var probing struct {
	mu     sync.Mutex
	f      func()
	done   chan struct{}
	err    error
	called bool
	moved  bool // the runtime moved the stack meanwhile
}

func testProbes() error {
	probing.mu.Lock()
	defer probing.mu.Unlock()
	for _, p := range probes {
		probing.moved = true
		for probing.moved {
			probing.f, probing.done = p.f, make(chan struct{})
			probing.err, probing.called, probing.moved = nil, false, false
			go runProbe()
			<-probing.done
		}
		switch err := probing.err; {
		case !probing.called:
			return fmt.Errorf("%s was not checked", p.name)
		case p.refused == "" && err != nil:
			return fmt.Errorf("%s is refused: %w", p.name, err)
		case p.refused != "" && err == nil:
			return fmt.Errorf("%s is not refused", p.name)
		case p.refused != "" && !strings.Contains(err.Error(), p.refused):
			return fmt.Errorf("%s is refused for another reason: %w", p.name, err)
		}
	}
	return nil
}

//go:noinline
func runProbe() {
	grow()
	callProbe()
	close(probing.done)
}

//go:noinline
func callProbe() {
	defer recoverProbe()
	probing.f()
}

func recoverProbe() { recover() }

// grow makes the stack large enough for what comes.
//
//go:noinline
func grow() {
	var a [16 << 10]byte
	keep(&a)
}

// keep makes the compiler believe that x is needed.
//
//go:noinline
func keep[T any](x T) {}

// leaveProbe checks the goroutine's stack from its caller on.
//
//go:noinline
func leaveProbe() {
	pc, sp, bp := caller()
	deferred, panicking := chains()
	err := Check(pc, sp, bp, Stack{Lo: sp, Hi: top(pc, sp), Defer: deferred, Panic: panicking})
	_, now, _ := caller()
	probing.err, probing.called, probing.moved = err, true, now != sp
}

// top is where the outermost frame ends of a stack whose innermost one
// continues at pc.
func top(pc, sp uintptr) uintptr {
	for key := pc; ; key = load(sp - 8) {
		s := lookup(key)
		if sp += s.size; s.top || s.flaw != "" {
			return sp
		}
	}
}
