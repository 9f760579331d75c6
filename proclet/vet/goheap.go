package vet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// GoHeap finds values of Go's heap that a thread needs after it has waited.
var GoHeap = &analysis.Analyzer{
	Name: "goheap",
	Doc: `check that threads keep nothing of Go's heap while they wait

A thread moves with its proclet when it waits. If its stack then holds a pointer
into Go's heap that is still needed, the move is refused. Reported are values
that the compiler certainly puts there, made before and used after a call that may
wait. Only functions of the same package are looked into.`,
	Requires: []*analysis.Analyzer{inside},
	Run:      runGoHeap,
}

func runGoHeap(pass *analysis.Pass) (any, error) {
	code := pass.ResultOf[inside].(*threadCode)
	if len(code.roots) == 0 {
		return nil, nil
	}
	functions := buildSSA(pass)
	waits := waitingFunctions(functions)
	for _, fn := range functions {
		if !runsInside(fn, code) {
			continue
		}
		flow := newFlow(fn)
		for _, v := range sources(fn) {
			if at := flow.firstWait(v.value, derived(v.value), waits); at != nil {
				pass.Reportf(v.pos, "%s is still used after %s in line %d, where the thread may have to move: %s",
					v.what, calledName(at), pass.Fset.Position(at.Pos()).Line, v.instead)
			}
		}
	}
	return nil, nil
}

// buildSSA returns the package's functions, literals included, in SSA form.
func buildSSA(pass *analysis.Pass) (all []*ssa.Function) {
	prog := ssa.NewProgram(pass.Fset, ssa.BuilderMode(0))
	for _, p := range pass.Pkg.Imports() {
		prog.CreatePackage(p, nil, nil, true)
	}
	pkg := prog.CreatePackage(pass.Pkg, pass.Files, pass.TypesInfo, false)
	pkg.Build()
	var add func(fn *ssa.Function)
	add = func(fn *ssa.Function) {
		all = append(all, fn)
		for _, literal := range fn.AnonFuncs {
			add(literal)
		}
	}
	for _, file := range pass.Files {
		for _, d := range file.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
				if obj, ok := pass.TypesInfo.Defs[d.Name].(*types.Func); ok {
					if fn := prog.FuncValue(obj); fn != nil {
						add(fn)
					}
				}
			}
		}
	}
	return all
}

// runsInside reports whether fn or a function that it is written in runs on
// proclets' threads, and may move.
func runsInside(fn *ssa.Function, code *threadCode) bool {
	for ; fn != nil && !code.unmovable[fn.Syntax()]; fn = fn.Parent() {
		if code.is[fn.Syntax()] {
			return true
		}
	}
	return false
}

// waitingFunctions returns the functions of the package in which a thread may
// wait, because they call what may.
func waitingFunctions(functions []*ssa.Function) map[*ssa.Function]bool {
	waits := map[*ssa.Function]bool{}
	for changed := true; changed; {
		changed = false
		for _, fn := range functions {
			if waits[fn] {
				continue
			}
			for _, b := range fn.Blocks {
				for _, i := range b.Instrs {
					if call, ok := i.(*ssa.Call); ok && mayWait(call, waits) {
						waits[fn], changed = true, true
					}
				}
			}
		}
	}
	return waits
}

// mayWait reports whether a thread may wait, and so have to move, in call: it
// hands its Thread to something of the model, or to a function that may wait.
func mayWait(call *ssa.Call, waits map[*ssa.Function]bool) bool {
	fn := call.Call.StaticCallee()
	if fn == nil {
		return false
	}
	if fn.Origin() != nil {
		fn = fn.Origin()
	}
	if waits[fn] {
		return true
	}
	obj, ok := fn.Object().(*types.Func)
	if !ok || !inModel(obj) {
		return false
	}
	takesThread := false
	for _, a := range call.Call.Args {
		takesThread = takesThread || isThread(a.Type())
	}
	if !takesThread || obj.Pkg().Path() == model && neverWait[obj.Name()] {
		return false
	}
	if recv := obj.Signature().Recv(); recv != nil {
		on := valueType(recv.Type())
		switch {
		case isThread(on):
			return threadWaits[obj.Name()]
		case isContainer(on) && !isCounted(on): // they want its heap
			return obj.Name() == "Wait" || obj.Name() == "WaitFor" // of a Promise
		}
	}
	return true
}

// neverWait are functions and methods of the model that take a Thread and do not
// wait.
var neverWait = map[string]bool{
	"Unlock": true, "RUnlock": true, "TryLock": true, "TryRLock": true, "TryAcquire": true, "Release": true,
	"Signal": true, "Broadcast": true, "Done": true, "Add": true, "Stop": true, "Reset": true,
	"Go": true, "Set": true, "Fail": true, "Drop": true, "Free": true, "State": true,
}

// threadWaits are the methods of Thread at which it may have to move.
var threadWaits = map[string]bool{"Sleep": true, "Checkpoint": true, "Unguard": true}

// calledName names what is called, for people.
func calledName(call *ssa.Call) string {
	fn := call.Call.StaticCallee()
	if fn.Origin() != nil {
		fn = fn.Origin()
	}
	if recv := fn.Signature.Recv(); recv != nil {
		if name, _ := structOf(recv.Type()); name != nil {
			return name.Name() + "." + fn.Name()
		}
	}
	if inModel(fn.Object()) {
		return "proclet." + fn.Name()
	}
	return fn.Name()
}

// source is a value that lies in Go's heap.
type source struct {
	value   ssa.Value
	pos     token.Pos
	what    string
	instead string
}

// sources returns the values of fn that certainly are in Go's heap.
func sources(fn *ssa.Function) (all []source) {
	for _, p := range fn.Params {
		if _, ok := p.Type().Underlying().(*types.Map); ok {
			all = append(all, source{p, p.Pos(), "argument " + p.Name() + ", a Go map,",
				"take from it what is needed before, or take a slice as the argument"})
		}
	}
	for _, b := range fn.Blocks {
		for _, i := range b.Instrs {
			v, ok := i.(ssa.Value)
			if !ok {
				continue
			}
			if what, instead := heapValue(v); what != "" {
				all = append(all, source{v, v.Pos(), what, instead})
			}
		}
	}
	return all
}

const (
	onStack  = 64 << 10 // larger implicit variables are in the heap
	smallest = 32       // strings and slices of unknown size may have so many bytes on the stack

	later = "make it after that, or keep it in the proclet's state"
)

// heapValue says what v is if it certainly lies in Go's heap, and what to do
// instead.
func heapValue(v ssa.Value) (what, instead string) {
	switch v := v.(type) {
	case *ssa.MakeMap:
		return "a Go map", "use a proclet.Map in the proclet's state, or finish with it before"
	case *ssa.MakeSlice:
		return "a slice made with a length that is not constant", "make it after that, use an array or a constant length, or a proclet.Slice in the proclet's state"
	case *ssa.Alloc:
		elem := v.Type().(*types.Pointer).Elem()
		if a, ok := elem.Underlying().(*types.Array); ok && v.Comment == "makeslice" && a.Len() > 0 && sizes.Sizeof(elem) > onStack {
			return "a slice of more than 64 KiB", "use a proclet.Slice in the proclet's state"
		}
		if v.Heap && isReturned(v) {
			return "a value that the function returns a pointer to", later
		}
	case *ssa.BinOp:
		if v.Op == token.ADD && isString(v.Type()) && !isPartOfSum(v) && (constantLength(v) > smallest || isReturned(v)) {
			return "a concatenated string", later
		}
	case *ssa.Call:
		if b, ok := v.Call.Value.(*ssa.Builtin); ok {
			if b.Name() == "append" && growsFromNothing(v, map[ssa.Value]bool{}) && !isAppendedTo(v) {
				return "a slice grown by append", "use a proclet.Slice in the proclet's state, or an array as its backing"
			}
			return "", ""
		}
		if fn := v.Call.StaticCallee(); fn != nil && fn.Object() != nil && fn.Object().Pkg() != nil && fn.Signature.Recv() == nil {
			pkg, name := fn.Object().Pkg(), fn.Object().Name()
			if allocates[pkg.Path()+"."+name] {
				return "the result of " + pkg.Name() + "." + name, later
			}
		}
	}
	return "", ""
}

var sizes = types.SizesFor("gc", "amd64")

// allocates are functions that return new memory of Go's heap.
var allocates = map[string]bool{
	"fmt.Sprintf": true, "fmt.Sprint": true, "fmt.Sprintln": true, "fmt.Errorf": true, "errors.New": true,
	"fmt.Appendf": true, "strings.Fields": true, "strings.Split": true, "strings.Repeat": true,
	"bytes.NewBuffer": true, "bytes.NewReader": true, "bytes.Split": true, "strings.NewReader": true,
	"bufio.NewReader": true, "bufio.NewWriter": true, "bufio.NewScanner": true,
	"regexp.MustCompile": true, "rand.New": true, "math/rand.New": true, "math/rand/v2.New": true,
	"math/rand/v2.NewPCG": true, "math/big.NewInt": true,
	"strings.Clone": true, "bytes.Clone": true, "maps.Clone": true,
}

func isString(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

// isPartOfSum reports whether v is only a part of a longer concatenation.
func isPartOfSum(v *ssa.BinOp) bool {
	refs := *v.Referrers()
	if len(refs) != 1 {
		return false
	}
	outer, ok := refs[0].(*ssa.BinOp)
	return ok && outer.Op == token.ADD
}

// constantLength returns how long a concatenation is at least.
func constantLength(v ssa.Value) int {
	switch v := v.(type) {
	case *ssa.Const:
		if v.Value != nil {
			return len(v.Value.ExactString()) - 2
		}
	case *ssa.BinOp:
		if v.Op == token.ADD {
			return constantLength(v.X) + constantLength(v.Y)
		}
	}
	return 0
}

// growsFromNothing reports whether v is what append makes of a nil slice.
func growsFromNothing(v ssa.Value, seen map[ssa.Value]bool) bool {
	if seen[v] {
		return true
	}
	seen[v] = true
	switch v := v.(type) {
	case *ssa.Const:
		return v.IsNil()
	case *ssa.Phi:
		for _, e := range v.Edges {
			if !growsFromNothing(e, seen) {
				return false
			}
		}
		return true
	case *ssa.Call:
		b, ok := v.Call.Value.(*ssa.Builtin)
		return ok && b.Name() == "append" && growsFromNothing(v.Call.Args[0], seen)
	}
	return false
}

// isAppendedTo reports whether the same slice is reported where it grows further.
func isAppendedTo(v *ssa.Call) bool {
	for _, r := range *v.Referrers() {
		if c, ok := r.(*ssa.Call); ok && c.Block() == v.Block() && len(c.Call.Args) > 0 && c.Call.Args[0] == v {
			if b, ok := c.Call.Value.(*ssa.Builtin); ok && b.Name() == "append" {
				return true
			}
		}
	}
	return false
}

// isReturned reports whether fn returns v itself, so that it cannot be on the
// stack.
func isReturned(v ssa.Value) bool {
	for h := range same(v) {
		for _, r := range *h.Referrers() {
			if _, ok := r.(*ssa.Return); ok {
				return true
			}
		}
	}
	return false
}
