package vet

import (
	"go/token"

	"golang.org/x/tools/go/ssa"
)

// flow is the order of a function's instructions, for questions about liveness.
type flow struct {
	fn     *ssa.Function
	defers []*ssa.Defer // run with their arguments where the function ends
}

func newFlow(fn *ssa.Function) *flow {
	f := &flow{fn: fn}
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			if d, ok := i.(*ssa.Defer); ok {
				f.defers = append(f.defers, d)
			}
		}
	}
	return f
}

// same returns v and the values that are v under other names and types.
func same(v ssa.Value) map[ssa.Value]bool {
	return closure(v, func(i ssa.Instruction, from ssa.Value) ssa.Value {
		switch i := i.(type) {
		case *ssa.Phi, *ssa.ChangeType, *ssa.ChangeInterface, *ssa.MakeInterface:
			return i.(ssa.Value)
		case *ssa.Slice:
			if i.X == from {
				return i
			}
		}
		return variable(i, from, v)
	})
}

// derived returns all values that point to what v points to, whole or in part,
// and the variables that they are stored in.
func derived(v ssa.Value) map[ssa.Value]bool {
	return closure(v, func(i ssa.Instruction, from ssa.Value) ssa.Value {
		switch i := i.(type) {
		case *ssa.Phi, *ssa.ChangeType, *ssa.ChangeInterface, *ssa.MakeInterface, *ssa.TypeAssert,
			*ssa.FieldAddr, *ssa.Range, *ssa.MakeClosure, *ssa.SliceToArrayPointer:
			return i.(ssa.Value)
		case *ssa.Extract:
			if i.Index == 0 { // of a checked type assertion
				return i
			}
		case *ssa.Slice:
			if i.X == from {
				return i
			}
		case *ssa.IndexAddr:
			if i.X == from {
				return i
			}
		}
		return variable(i, from, v)
	})
}

// variable returns what i makes of from if it puts it into a variable, or takes it
// out of one, which is not v itself.
func variable(i ssa.Instruction, from, v ssa.Value) ssa.Value {
	switch i := i.(type) {
	case *ssa.Store:
		if a, ok := i.Addr.(*ssa.Alloc); ok && i.Val == from {
			return a
		}
	case *ssa.UnOp:
		if _, ok := from.(*ssa.Alloc); ok && i.Op == token.MUL && from != v {
			return i
		}
	}
	return nil
}

// closure follows values from v through what step makes of them.
func closure(v ssa.Value, step func(i ssa.Instruction, from ssa.Value) ssa.Value) map[ssa.Value]bool {
	found := map[ssa.Value]bool{v: true}
	for todo := []ssa.Value{v}; len(todo) > 0; {
		from := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		refs := from.Referrers()
		if refs == nil {
			continue
		}
		for _, i := range *refs {
			if to := step(i, from); to != nil && !found[to] {
				found[to] = true
				todo = append(todo, to)
			}
		}
	}
	return found
}

// firstWait returns the first call, in the order of the source, that may wait
// after v was made and before one of values, which derive from v, is used; nil if
// there is none.
func (f *flow) firstWait(v ssa.Value, values map[ssa.Value]bool, waits map[*ssa.Function]bool) (first *ssa.Call) {
	made, _ := v.(ssa.Instruction)                       // nil for a parameter
	into := make([]map[ssa.Value]bool, len(f.fn.Blocks)) // live where a block begins
	for changed := true; changed; {
		changed = false
		for n := len(f.fn.Blocks) - 1; n >= 0; n-- {
			b := f.fn.Blocks[n]
			live := map[ssa.Value]bool{}
			for _, s := range b.Succs {
				f.liveOn(b, s, into[s.Index], values, live)
			}
			for k := len(b.Instrs) - 1; k >= 0; k-- {
				i := b.Instrs[k]
				kill(i, live)
				if call, ok := i.(*ssa.Call); ok && len(live) > 0 && (first == nil || call.Pos() < first.Pos()) && mayWait(call, waits) && reaches(made, call) {
					first = call
				}
				f.use(i, values, live)
			}
			if len(live) != len(into[b.Index]) {
				into[b.Index], changed = live, true
			}
		}
	}
	return first
}

// reaches reports whether to can be executed after from.
func reaches(from, to ssa.Instruction) bool {
	if from == nil {
		return true
	}
	if from.Block() == to.Block() {
		for _, i := range from.Block().Instrs {
			if i == from {
				return true
			}
			if i == to {
				break // only round a loop
			}
		}
	}
	seen := map[*ssa.BasicBlock]bool{}
	todo := append([]*ssa.BasicBlock(nil), from.Block().Succs...)
	for len(todo) > 0 {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if b == to.Block() {
			return true
		}
		if !seen[b] {
			seen[b] = true
			todo = append(todo, b.Succs...)
		}
	}
	return false
}

// liveOn adds to live what is live on the edge from b to s, where begin is live
// at the beginning of s.
func (f *flow) liveOn(b, s *ssa.BasicBlock, begin, values, live map[ssa.Value]bool) {
	for v := range begin {
		if phi, ok := v.(*ssa.Phi); !ok || phi.Block() != s {
			live[v] = true
		}
	}
	for _, i := range s.Instrs {
		phi, ok := i.(*ssa.Phi)
		if !ok {
			break
		}
		if !begin[phi] {
			continue // itself not needed
		}
		for n, pred := range s.Preds {
			if pred == b && values[phi.Edges[n]] {
				live[phi.Edges[n]] = true
			}
		}
	}
}

// kill removes from live what i gives its value.
func kill(i ssa.Instruction, live map[ssa.Value]bool) {
	if store, ok := i.(*ssa.Store); ok {
		delete(live, store.Addr)
		return
	}
	if _, ok := i.(*ssa.Phi); ok {
		return // of the edges, see liveOn
	}
	if v, ok := i.(ssa.Value); ok {
		delete(live, v)
	}
}

// use adds to live those of values that i uses.
func (f *flow) use(i ssa.Instruction, values, live map[ssa.Value]bool) {
	switch i := i.(type) {
	case *ssa.Phi:
		return // see liveOn
	case *ssa.Store:
		if values[i.Val] {
			live[i.Val] = true
		}
		if _, variable := i.Addr.(*ssa.Alloc); variable {
			return
		}
	case *ssa.RunDefers:
		for _, d := range f.defers {
			f.use(d, values, live)
		}
	}
	var space [8]*ssa.Value
	for _, op := range i.Operands(space[:0]) {
		if *op != nil && values[*op] {
			live[*op] = true
		}
	}
}
