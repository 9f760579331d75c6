package vet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Copies finds copies of values that own memory of their proclet or are known by
// their address.
var Copies = &analysis.Analyzer{
	Name: "copies",
	Doc: `check that containers and locks of a proclet are not copied

A copy of a proclet.Map shares the entries and knows nothing of what the other one
frees; threads that wait for a proclet.Mutex do not wait for its copy.`,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      runCopies,
}

func runCopies(pass *analysis.Pass) (any, error) {
	if !concerns(pass) {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	kinds := []ast.Node{
		(*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.CallExpr)(nil), (*ast.ReturnStmt)(nil),
		(*ast.CompositeLit)(nil), (*ast.RangeStmt)(nil), (*ast.FuncDecl)(nil), (*ast.FuncLit)(nil),
	}
	in.Preorder(kinds, func(n ast.Node) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, e := range n.Rhs {
				if len(n.Lhs) == len(n.Rhs) && isBlank(n.Lhs[i]) {
					continue
				}
				checkCopy(pass, e, "assignment")
			}
		case *ast.ValueSpec:
			for _, e := range n.Values {
				checkCopy(pass, e, "declaration")
			}
		case *ast.CallExpr:
			if pass.TypesInfo.Types[n.Fun].IsBuiltin() {
				return // len, unsafe.Sizeof and the like look without copying
			}
			for _, e := range n.Args {
				checkCopy(pass, e, "call")
			}
		case *ast.ReturnStmt:
			for _, e := range n.Results {
				checkCopy(pass, e, "return")
			}
		case *ast.CompositeLit:
			for _, e := range n.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					e = kv.Value
				}
				checkCopy(pass, e, "literal")
			}
		case *ast.RangeStmt:
			if n.Value != nil && !isBlank(n.Value) {
				reportCopy(pass, n.Value, pass.TypesInfo.TypeOf(n.Value), "range", "range over indices, or over All, which gives pointers")
			}
		case *ast.FuncDecl:
			checkParameters(pass, n.Recv)
			checkParameters(pass, n.Type.Params)
		case *ast.FuncLit:
			checkParameters(pass, n.Type.Params)
		}
	})
	return nil, nil
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// checkCopy reports e if its value is copied from somewhere. New values, those of
// literals and calls, are not.
func checkCopy(pass *analysis.Pass, e ast.Expr, what string) {
	e = ast.Unparen(e)
	switch e := e.(type) {
	case *ast.CompositeLit, *ast.CallExpr, *ast.FuncLit:
		return
	case *ast.StarExpr:
		if pass.TypesInfo.Types[e].IsType() {
			return
		}
	}
	if tv, ok := pass.TypesInfo.Types[e]; ok && tv.IsValue() {
		reportCopy(pass, e, tv.Type, what, "use a pointer")
	}
}

func checkParameters(pass *analysis.Pass, list *ast.FieldList) {
	if list == nil {
		return
	}
	for _, f := range list.List {
		reportCopy(pass, f.Type, pass.TypesInfo.TypeOf(f.Type), "parameter", "use a pointer")
	}
}

func reportCopy(pass *analysis.Pass, at ast.Node, t types.Type, what, instead string) {
	if path := ownerIn(t); path != "" {
		if path != typeName(t) {
			path = typeName(t) + ", which contains a " + path
		}
		pass.Reportf(at.Pos(), "%s copies a %s: the copy and the original would own the same; %s", what, path, instead)
	}
}

// ownerIn returns the name of the type within t that must not be copied, or "".
func ownerIn(t types.Type) string {
	if t == nil {
		return ""
	}
	if isContainer(t) && !isText(t) && !isCounted(t) || isPrimitive(t) {
		return typeName(t)
	}
	if name, _ := modelType(t); name != "" {
		return ""
	}
	switch u := t.Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			if found := ownerIn(f.Type()); found != "" {
				return found
			}
		}
	case *types.Array:
		return ownerIn(u.Elem())
	}
	return ""
}
