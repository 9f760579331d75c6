package vet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// The packages of the programming model that is checked.
const (
	model       = "nuos/proclet"
	distributed = "nuos/proclet/dist" // written in terms of model
)

// concerns reports whether pass is about a package that uses the model. What
// implements it may do what its users may not.
func concerns(pass *analysis.Pass) bool {
	if pass.Pkg.Path() == model {
		return false
	}
	for _, p := range pass.Pkg.Imports() {
		if isModel(p) {
			return true
		}
	}
	return false
}

// inModel reports whether the model declares obj.
func inModel(obj types.Object) bool {
	if fn, ok := obj.(*types.Func); ok && fn == nil {
		return false
	}
	return obj != nil && obj.Pkg() != nil && isModel(obj.Pkg())
}

func isModel(p *types.Package) bool { return p.Path() == model || p.Path() == distributed }

// modelType returns the name of t if the model declares it, as in "Map" for a
// proclet.Map[int, int], and its type arguments.
func modelType(t types.Type) (name string, args []types.Type) {
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || !inModel(n.Obj()) {
		return "", nil
	}
	return n.Obj().Name(), slices.Collect(n.TypeArgs().Types())
}

// isContainer reports whether t is a type of the model whose values own memory of
// their proclet: it has the unexported method that these have.
func isContainer(t types.Type) bool { return hasModelMethod(t, "container") }

// isCounted reports whether t is a Ref or a remote pointer that keeps alive what it
// refers to.
func isCounted(t types.Type) bool { return hasModelMethod(t, "counted") }

func hasModelMethod(t types.Type, name string) bool {
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || !inModel(n.Obj()) {
		return false
	}
	for m := range n.Origin().Methods() {
		if m.Name() == name {
			return true
		}
	}
	return false
}

// isPrimitive reports whether t is what threads of a proclet wait with.
func isPrimitive(t types.Type) bool {
	name, _ := modelType(t)
	switch name {
	case "Mutex", "RWMutex", "Cond", "WaitGroup", "Semaphore", "Once", "Timer", "Ticker":
		return true
	}
	return false
}

// isText reports whether t is a String, which unlike other containers is a value:
// it can be passed to calls and be a key.
func isText(t types.Type) bool {
	name, _ := modelType(t)
	return name == "String"
}

// valueType returns what t points to, or t.
func valueType(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// isThread reports whether t is *proclet.Thread.
func isThread(t types.Type) bool {
	name, _ := modelType(valueType(t))
	return name == "Thread"
}

func isContext(t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "context" && n.Obj().Name() == "Context"
}

// structOf returns the struct type that t, a named type or a pointer to one, is
// made of, and its name.
func structOf(t types.Type) (*types.TypeName, *types.Struct) {
	n, ok := types.Unalias(valueType(t)).(*types.Named)
	if !ok {
		return nil, nil
	}
	s, ok := n.Underlying().(*types.Struct)
	if !ok {
		return nil, nil
	}
	return n.Obj(), s
}

// typeName writes t as code of its users does: with the names of packages.
func typeName(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}

// hasTypeParam reports whether t depends on a type parameter, so that nothing
// can be said about it.
func hasTypeParam(t types.Type) bool { return dependsOn(t, map[types.Type]bool{}) }

func dependsOn(t types.Type, seen map[types.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	switch t := types.Unalias(t).(type) {
	case *types.TypeParam:
		return true
	case *types.Named:
		for a := range t.TypeArgs().Types() {
			if dependsOn(a, seen) {
				return true
			}
		}
	case *types.Pointer:
		return dependsOn(t.Elem(), seen)
	case *types.Slice:
		return dependsOn(t.Elem(), seen)
	case *types.Array:
		return dependsOn(t.Elem(), seen)
	case *types.Chan:
		return dependsOn(t.Elem(), seen)
	case *types.Map:
		return dependsOn(t.Key(), seen) || dependsOn(t.Elem(), seen)
	case *types.Struct:
		for f := range t.Fields() {
			if dependsOn(f.Type(), seen) {
				return true
			}
		}
	}
	return false
}

// use is a place where the source gives a type parameter of the model a type.
type use struct {
	at    *ast.Ident   // the name of the generic function or type
	of    types.Object // which that is
	param string
	typ   types.Type
}

// ofObject reports whether the type is that of an object which a remote pointer
// points to.
func (u use) ofObject() bool { return u.param == "T" && strings.Contains(u.of.Name(), "Remote") }

// uses returns the types that the package gives to the model's type parameters
// called names, in the order of the source. In the model S is always the type of a
// proclet's state, A that of an argument and R that of a result.
func uses(pass *analysis.Pass, names string) (all []use) {
	for id, inst := range pass.TypesInfo.Instances {
		obj := pass.TypesInfo.Uses[id]
		if !inModel(obj) {
			continue
		}
		params := typeParams(obj)
		for i := range params.Len() {
			if name := params.At(i).Obj().Name(); strings.Contains(names, name) && !hasTypeParam(inst.TypeArgs.At(i)) {
				all = append(all, use{id, obj, name, inst.TypeArgs.At(i)})
			}
		}
	}
	slices.SortFunc(all, func(a, b use) int { return int(a.at.Pos()) - int(b.at.Pos()) })
	return all
}

func typeParams(obj types.Object) *types.TypeParamList {
	switch t := obj.Type().(type) {
	case *types.Signature:
		return t.TypeParams()
	case *types.Named:
		return t.TypeParams()
	case *types.Alias:
		return t.TypeParams()
	}
	return nil
}

// callee returns the function or method that call names, or nil.
func callee(info *types.Info, call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch f := fun.(type) {
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	switch f := fun.(type) {
	case *ast.Ident:
		fn, _ := info.Uses[f].(*types.Func)
		return fn
	case *ast.SelectorExpr:
		fn, _ := info.Uses[f.Sel].(*types.Func)
		return fn
	}
	return nil
}
