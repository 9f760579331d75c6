package vet

import (
	"go/ast"
	"go/types"
	"reflect"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// inside finds the functions of a package that run on a proclet's threads.
var inside = &analysis.Analyzer{
	Name:       "inside",
	Doc:        "find the functions that run on proclets' threads",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	Run:        runInside,
	ResultType: reflect.TypeFor[*threadCode](),
}

// threadCode is what runs on proclets' threads: declared functions, and function
// literals that are started as threads elsewhere. Literals inside of these run
// there too.
type threadCode struct {
	roots []ast.Node // *ast.FuncDecl and *ast.FuncLit, in the order of the source
	is    map[ast.Node]bool

	// unmovable are the literals given to Thread.Unmovable, which may hold what
	// they like.
	unmovable map[ast.Node]bool
}

func runInside(pass *analysis.Pass) (any, error) {
	code := &threadCode{is: map[ast.Node]bool{}, unmovable: map[ast.Node]bool{}}
	if !concerns(pass) {
		return code, nil
	}
	states := map[*types.TypeName]bool{}
	for _, u := range uses(pass, "S") {
		if name, _ := structOf(u.typ); name != nil {
			states[name] = true
		}
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	decls := map[*types.Func]*ast.FuncDecl{}
	for n := range in.PreorderSeq((*ast.FuncDecl)(nil)) {
		d := n.(*ast.FuncDecl)
		fn, ok := pass.TypesInfo.Defs[d.Name].(*types.Func)
		if !ok || d.Body == nil {
			continue
		}
		decls[fn] = d
		if isMethod(fn, states, pass.TypesSizes) {
			code.add(d)
		}
	}
	for n := range in.PreorderSeq((*ast.CallExpr)(nil), (*ast.CompositeLit)(nil)) {
		if call, ok := n.(*ast.CallExpr); ok {
			if fn := callee(pass.TypesInfo, call); inModel(fn) && fn.Name() == "Unmovable" {
				code.unmovable[ast.Unparen(call.Args[0])] = true
			}
		}
		_, functions := threadFunctions(pass.TypesInfo, n)
		for _, arg := range functions {
			switch arg := ast.Unparen(arg).(type) {
			case *ast.FuncLit:
				code.add(arg)
			case *ast.Ident:
				if fn, ok := pass.TypesInfo.Uses[arg].(*types.Func); ok && decls[fn] != nil {
					code.add(decls[fn])
				}
			}
		}
	}
	// What these call and give their Thread to.
	for i := 0; i < len(code.roots); i++ {
		ast.Inspect(code.roots[i], func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if fn := callee(pass.TypesInfo, call); fn != nil && decls[fn.Origin()] != nil && givesThread(pass.TypesInfo, call) {
				code.add(decls[fn.Origin()])
			}
			return true
		})
	}
	return code, nil
}

func (c *threadCode) add(n ast.Node) {
	if !c.is[n] {
		c.is[n] = true
		c.roots = append(c.roots, n)
	}
}

// isMethod reports whether fn is a method that calls of a proclet execute: its
// receiver points to a type that is or could be a state type, and a Thread is its
// first parameter.
func isMethod(fn *types.Func, states map[*types.TypeName]bool, sizes types.Sizes) bool {
	sig := fn.Signature()
	if sig.Recv() == nil || sig.Params().Len() == 0 || !isThread(sig.Params().At(0).Type()) {
		return false
	}
	p, ok := types.Unalias(sig.Recv().Type()).(*types.Pointer)
	if !ok {
		return false
	}
	name, s := structOf(p)
	return s != nil && (states[name] || s.NumFields() > 0 && stateFault(p.Elem(), sizes) == nil)
}

// givesThread reports whether call has a Thread as an argument.
func givesThread(info *types.Info, call *ast.CallExpr) bool {
	for _, arg := range call.Args {
		if tv, ok := info.Types[arg]; ok && isThread(tv.Type) {
			return true
		}
	}
	return false
}

// threadFunctions returns the functions that n, a call of the model or a struct of
// it, has among its arguments or elements, and that the model runs on a thread of its
// own or in another proclet: those that take a pointer to state and a Thread, those
// of Thread.Go and FuncOf, and all that distributed structures take. to names what
// they are given to.
func threadFunctions(info *types.Info, n ast.Node) (to string, functions []ast.Expr) {
	switch n := n.(type) {
	case *ast.CallExpr:
		fn := callee(info, n)
		if !inModel(fn) {
			return "", nil
		}
		sig := fn.Origin().Signature()
		for i, arg := range n.Args {
			if i >= sig.Params().Len() {
				break
			}
			f, ok := sig.Params().At(i).Type().Underlying().(*types.Signature)
			starts := fn.Name() == "Go" && sig.Recv() != nil || fn.Pkg().Path() == distributed && fn.Exported()
			if ok && (starts || isCalled(f)) || fn.Name() == "FuncOf" {
				functions = append(functions, arg)
			}
		}
		return fn.Name(), functions
	case *ast.CompositeLit:
		name, s := structOf(info.TypeOf(n))
		if s == nil || !inModel(name) {
			return "", nil
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				e = kv.Value
			}
			if _, ok := info.TypeOf(e).Underlying().(*types.Signature); ok {
				functions = append(functions, e)
			}
		}
		return name.Name(), functions
	}
	return "", nil
}

// isCalled reports whether f has the form of a method expression: a pointer to
// state, then a Thread.
func isCalled(f *types.Signature) bool {
	if f.Params().Len() < 2 || !isThread(f.Params().At(1).Type()) {
		return false
	}
	p, ok := f.Params().At(0).Type().(*types.Pointer)
	if !ok {
		return false
	}
	_, ok = p.Elem().(*types.TypeParam)
	return ok
}
