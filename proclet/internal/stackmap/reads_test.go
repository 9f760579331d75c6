package stackmap

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"
)

// calls calls yield with the return address of each call in the program that
// the collector can find a goroutine at: not of those to assembly code, nor
// inside of write barriers.
func calls(yield func(f funcInfo, pc uintptr)) {
	const unsafePoint, unsafe_ = 0, -2 // abi.PCDATA_UnsafePoint, abi.UnsafePointUnsafe
	m := lastmoduledatap
	for _, e := range m.ftab[:len(m.ftab)-1] {
		f := findfunc(m.text + uintptr(e.entryoff))
		if f.flag&funcFlagAsm != 0 {
			continue
		}
		for pc, end := f.entry(), f.end(); pc < end; {
			inst, err := x86asm.Decode(unsafe.Slice((*byte)(at(pc)), min(15, end-pc)), 64)
			if err != nil {
				break
			}
			pc += uintptr(inst.Len)
			if inst.Op != x86asm.CALL || pc == end {
				continue
			}
			if rel, ok := inst.Args[0].(x86asm.Rel); ok {
				if g := findfunc(pc + uintptr(rel)); g._func != nil && g.flag&funcFlagAsm != 0 {
					continue
				}
			}
			if v, _ := f.value(f.pcdata(unsafePoint), pc-1); v != unsafe_ {
				yield(f, pc)
			}
		}
	}
}

// The compiler says of pointers which are live; what it says is what the code
// shows, too. There are differences of one kind: the compiler calls all of a
// struct live if a part of it is.
func TestMayReadAgreesWithMaps(t *testing.T) {
	type word struct{ function, off uintptr }
	agree, differ := map[word]bool{}, map[word]bool{}
	calls(func(f funcInfo, pc uintptr) {
		s := newSite(pc)
		if s.flaw != "" || f.deferreturn != 0 { // defers are called through slots that the code itself does not read
			return
		}
	live:
		for _, off := range s.live {
			if uintptr(off) >= s.size {
				break // arguments are often structs
			}
			for i := range s.objects {
				if s.objects[i].contains(int64(off)) {
					continue live
				}
			}
			w := word{f.entry(), uintptr(off)}
			if s.mayRead(uintptr(off)) {
				agree[w] = true
			} else if !differ[w] {
				differ[w] = true
				t.Logf("%s, returning to %#x: %#x(SP) is live, but nothing reads it", runtime.FuncForPC(f.entry()).Name(), pc, off)
			}
		}
	})
	t.Logf("%d live variables are read, %d words not", len(agree), len(differ))
	if len(agree) < 1000 || len(differ)*50 > len(agree) {
		t.Error("want thousands, and at most 2 in 100 that are not")
	}
}

// The decoder finds the instructions where the compiler put them: each change
// in the tables is at the beginning of one.
func TestDecoding(t *testing.T) {
	m := lastmoduledatap
	functions, unknown := 0, 0
	for _, e := range m.ftab[:len(m.ftab)-1] {
		f := findfunc(m.text + uintptr(e.entryoff))
		if f.flag&funcFlagAsm != 0 {
			continue
		}
		functions++
		begins := map[uintptr]bool{}
		pc, end := f.entry(), f.end()
		for pc < end {
			begins[pc] = true
			inst, err := x86asm.Decode(unsafe.Slice((*byte)(at(pc)), min(15, end-pc)), 64)
			if err != nil || vex(inst) {
				unknown++
				break
			}
			pc += uintptr(inst.Len)
		}
		f.runs(f.pcln, func(from, _ uintptr, _ int32) bool {
			if from < pc && !begins[from] {
				t.Errorf("%s: the decoder sees no instruction at %#x", runtime.FuncForPC(f.entry()).Name(), from)
			}
			return true
		})
	}
	t.Logf("%d functions, %d with instructions that the decoder does not know", functions, unknown)
	if unknown*20 > functions {
		t.Error("want few")
	}
}

// padding is what the compiler puts between functions, and after calls of which it
// does not know that they do not return.
var padding = map[x86asm.Op]bool{
	x86asm.NOP: true, x86asm.INT: true, x86asm.UD2: true,
	x86asm.MOV: true, x86asm.ADD: true, x86asm.POP: true, x86asm.RET: true, x86asm.JMP: true,
}

// All instructions of a function are reached from its beginning, also through
// jump tables. Otherwise there is a way that nobody follows.
func TestFollow(t *testing.T) {
	m := lastmoduledatap
	functions, tables := 0, 0
	for _, e := range m.ftab[:len(m.ftab)-1] {
		f := findfunc(m.text + uintptr(e.entryoff))
		if f.flag&funcFlagAsm != 0 || f.pcsp == 0 || f.deferreturn != 0 {
			continue // a function that defers may have two ends for panics, of which one is used
		}
		r := newReading(&site{key: f.entry()}, 0)
		r.visit(r.entry)
		table, ok := false, true
		for ok && len(r.todo) > 0 {
			pc := r.todo[len(r.todo)-1]
			r.todo = r.todo[:len(r.todo)-1]
			var inst x86asm.Inst
			if inst, ok = r.decode(pc); ok {
				_, relative := inst.Args[0].(x86asm.Rel)
				table = table || inst.Op == x86asm.JMP && !relative
				ok = r.follow(inst, pc)
			}
		}
		if !ok {
			continue
		}
		functions++
		if table {
			tables++
		}
		for pc := r.entry; pc < r.end; {
			inst, _ := r.decode(pc)
			if !r.seen[pc-r.entry] && !padding[inst.Op] {
				t.Errorf("%s: nothing leads to %v at %#x", runtime.FuncForPC(f.entry()).Name(), inst, pc)
			}
			pc += uintptr(inst.Len)
		}
	}
	t.Logf("%d functions, %d with jump tables", functions, tables)
	if functions < 1000 || tables < 10 {
		t.Error("want thousands, and some with tables")
	}
}
