package vet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Keep finds values that are kept longer than they are valid.
var Keep = &analysis.Analyzer{
	Name: "keep",
	Doc: `check that proclets keep nothing that ends or moves without them

A *proclet.Thread ends with its call, a context belongs to one machine, and what a
String or a Ref in a proclet's state owns is taken over by Set, not by an
assignment.`,
	Requires: []*analysis.Analyzer{inspect.Analyzer, inside},
	Run:      runKeep,
}

func runKeep(pass *analysis.Pass) (any, error) {
	if !concerns(pass) {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	for n := range in.PreorderSeq((*ast.GenDecl)(nil)) {
		keepsInGlobal(pass, n.(*ast.GenDecl))
	}
	for _, root := range pass.ResultOf[inside].(*threadCode).roots {
		ast.Inspect(root, func(n ast.Node) bool {
			if a, ok := n.(*ast.AssignStmt); ok {
				for i, left := range a.Lhs {
					keeps(pass, root, left, typeOfRight(pass, a, i))
				}
			}
			return true
		})
	}
	return nil, nil
}

// keepsInGlobal reports global variables that can only be misused.
func keepsInGlobal(pass *analysis.Pass, d *ast.GenDecl) {
	if d.Tok != token.VAR {
		return
	}
	for _, spec := range d.Specs {
		for _, name := range spec.(*ast.ValueSpec).Names {
			v, ok := pass.TypesInfo.Defs[name].(*types.Var)
			if ok && v.Parent() == pass.Pkg.Scope() && isThread(v.Type()) {
				pass.Reportf(name.Pos(), "global variable %s keeps a *proclet.Thread, which ends with its call; pass it on, or call proclet.Current where it is needed", name.Name)
			}
		}
	}
}

// typeOfRight returns the type of what a assigns to its left side i.
func typeOfRight(pass *analysis.Pass, a *ast.AssignStmt, i int) types.Type {
	if len(a.Rhs) == len(a.Lhs) {
		return pass.TypesInfo.TypeOf(a.Rhs[i])
	}
	if tuple, ok := pass.TypesInfo.TypeOf(a.Rhs[0]).(*types.Tuple); ok && i < tuple.Len() {
		return tuple.At(i).Type()
	}
	return pass.TypesInfo.TypeOf(a.Lhs[i])
}

// keeps reports an assignment of a value of type t, in code that runs in a
// proclet, to a place that outlives the call.
func keeps(pass *analysis.Pass, root ast.Node, left ast.Expr, t types.Type) {
	if t == nil {
		return
	}
	switch kept := place(pass, root, left); {
	case kept == "":
	case isThread(t):
		pass.Reportf(left.Pos(), "%s keeps a *proclet.Thread, which ends with its call; each method is given one of its own", kept)
	case isContext(t):
		pass.Reportf(left.Pos(), "%s keeps a context.Context, which belongs to one machine and one call; keep a deadline as a number", kept)
	case kept == "state":
		if t := pass.TypesInfo.TypeOf(left); isText(t) || isCounted(t) {
			name, _ := modelType(t)
			pass.Reportf(left.Pos(), "assignment of a proclet.%s to state: the state would not own it; use its method Set", name)
		}
	}
}

// place says what outlives the call that left, an expression that is assigned to, is
// part of: a global variable, or the state, reached through the receiver of a
// method. It returns "" if it is neither or cannot be told.
func place(pass *analysis.Pass, root ast.Node, left ast.Expr) string {
	selected := false
	for {
		switch e := ast.Unparen(left).(type) {
		case *ast.SelectorExpr:
			if pass.TypesInfo.Selections[e] == nil { // a package's variable
				return "global variable"
			}
			left, selected = e.X, true
		case *ast.IndexExpr:
			left = e.X
		case *ast.StarExpr:
			left = e.X
		case *ast.Ident:
			v, ok := pass.TypesInfo.Uses[e].(*types.Var)
			switch {
			case !ok:
			case v.Parent() == pass.Pkg.Scope():
				return "global variable"
			case selected && isReceiver(pass, root, v):
				return "state"
			}
			return ""
		default:
			return ""
		}
	}
}

// isReceiver reports whether v is the receiver of the method root, or the state
// that a function is given as if it were one.
func isReceiver(pass *analysis.Pass, root ast.Node, v *types.Var) bool {
	d, ok := root.(*ast.FuncDecl)
	if !ok || d.Recv == nil || len(d.Recv.List[0].Names) == 0 {
		return false
	}
	_, pointer := types.Unalias(v.Type()).(*types.Pointer)
	return pointer && pass.TypesInfo.Defs[d.Recv.List[0].Names[0]] == v
}
