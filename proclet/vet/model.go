package vet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// model is the package whose programming model is checked.
const model = "nuos/proclet"

// concerns reports whether pass is about a package that uses the model. What
// implements it may do what its users may not.
func concerns(pass *analysis.Pass) bool {
	if pass.Pkg.Path() == model {
		return false
	}
	for _, p := range pass.Pkg.Imports() {
		if p.Path() == model {
			return true
		}
	}
	return false
}

// inModel reports whether the model declares obj.
func inModel(obj types.Object) bool {
	return obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == model
}

// modelType returns the name of t if the model declares it, as in "Map" for a
// proclet.Map[int, int], and its type arguments.
func modelType(t types.Type) (name string, args []types.Type) {
	n, ok := types.Unalias(t).(*types.Named)
	if !ok || !inModel(n.Obj()) {
		return "", nil
	}
	return n.Obj().Name(), slices.Collect(n.TypeArgs().Types())
}

// isThread reports whether t is *proclet.Thread.
func isThread(t types.Type) bool {
	p, ok := types.Unalias(t).(*types.Pointer)
	if !ok {
		return false
	}
	name, _ := modelType(p.Elem())
	return name == "Thread"
}

func isContext(t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "context" && n.Obj().Name() == "Context"
}

// structOf returns the struct type that t, a named type or a pointer to one, is
// made of, and its name.
func structOf(t types.Type) (*types.TypeName, *types.Struct) {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	n, ok := types.Unalias(t).(*types.Named)
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
	at    *ast.Ident // the generic function or type
	param string
	typ   types.Type
}

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
				all = append(all, use{id, name, inst.TypeArgs.At(i)})
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
