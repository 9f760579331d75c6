package vet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Methods checks what calls are told to call.
var Methods = &analysis.Analyzer{
	Name: "methods",
	Doc: `check that calls and threads are given constant functions

A function is named between machines by its place in the program. A closure that
captures variables, or a method bound to its receiver, is a value of one machine.`,
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      runMethods,
}

func runMethods(pass *analysis.Pass) (any, error) {
	if !concerns(pass) {
		return nil, nil
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	for n := range in.PreorderSeq((*ast.CallExpr)(nil), (*ast.CompositeLit)(nil)) {
		name, functions := threadFunctions(pass.TypesInfo, n)
		for _, function := range functions {
			switch f := ast.Unparen(function).(type) {
			case *ast.FuncLit:
				if v := captured(pass, f); v != nil {
					pass.Reportf(f.Pos(), "function given to %s captures %s, which stays here when it runs elsewhere; pass it as the argument", name, v.Name())
				}
			case *ast.SelectorExpr:
				if s := pass.TypesInfo.Selections[f]; s != nil && s.Kind() == types.MethodVal {
					pass.Reportf(f.Pos(), "method given to %s is bound to a receiver; write the method expression (%s).%s", name, receiverName(s), f.Sel.Name)
				}
			}
		}
	}
	return nil, nil
}

// receiverName writes the receiver's type of a method as it is declared.
func receiverName(s *types.Selection) string {
	return typeName(s.Obj().(*types.Func).Signature().Recv().Type())
}

// captured returns a variable of a surrounding function that f uses, or nil.
func captured(pass *analysis.Pass, f *ast.FuncLit) (found *types.Var) {
	ast.Inspect(f.Body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok || found != nil {
			return found == nil
		}
		v, ok := pass.TypesInfo.Uses[id].(*types.Var)
		if !ok || v.IsField() || v.Pkg() != pass.Pkg || v.Parent() == pass.Pkg.Scope() {
			return true
		}
		if v.Pos() < f.Pos() || v.Pos() >= f.End() {
			found = v
		}
		return true
	})
	return found
}
