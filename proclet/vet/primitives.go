package vet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// Primitives finds what Go offers to run and to wait, in code that runs in
// proclets.
var Primitives = &analysis.Analyzer{
	Name: "primitives",
	Doc: `check that proclets use threads, locks and timers that move

Goroutines, channels, package sync and the timers of package time belong to one
process: what waits for them cannot leave its machine.`,
	Requires: []*analysis.Analyzer{inside},
	Run:      runPrimitives,
}

// instead says what to use for what Go's own packages offer to wait with, by package
// and name. What does not wait, such as sync.Map and sync/atomic, is all right in
// variables of a machine; in state, State refuses it.
var instead = map[string]map[string]string{
	"sync": {
		"Mutex":      "use a proclet.Mutex in the proclet's state",
		"RWMutex":    "use a proclet.RWMutex in the proclet's state",
		"Locker":     "use a proclet.Mutex",
		"Cond":       "use a proclet.Cond in the proclet's state",
		"NewCond":    "use a proclet.Cond in the proclet's state",
		"WaitGroup":  "use a proclet.WaitGroup in the proclet's state",
		"Once":       "use a proclet.Once in the proclet's state",
		"OnceFunc":   "use a proclet.Once in the proclet's state",
		"OnceValue":  "use a proclet.Once in the proclet's state",
		"OnceValues": "use a proclet.Once in the proclet's state",
	},
	"golang.org/x/sync/errgroup":     {"Group": "use a proclet.WaitGroup and t.Go"},
	"golang.org/x/sync/semaphore":    {"Weighted": "use a proclet.Semaphore in the proclet's state"},
	"golang.org/x/sync/singleflight": {"Group": "use a proclet.Mutex in the proclet's state"},
	"time": {
		"Sleep":     "use t.Sleep",
		"After":     "use a proclet.Timer",
		"AfterFunc": "use a proclet.Timer",
		"NewTimer":  "use a proclet.Timer",
		"Timer":     "use a proclet.Timer",
		"Tick":      "use a proclet.Ticker",
		"NewTicker": "use a proclet.Ticker",
		"Ticker":    "use a proclet.Ticker",
	},
	"runtime": {
		"Goexit":       "return, or panic with a value: the caller gets it as an error",
		"LockOSThread": "a proclet that needs an operating system thread must be made with proclet.Options{Pinned: true} and call an ordinary goroutine",
	},
	"iter": {
		"Pull":  "range over the iterator",
		"Pull2": "range over the iterator",
	},
}

func runPrimitives(pass *analysis.Pass) (any, error) {
	for _, root := range pass.ResultOf[inside].(*threadCode).roots {
		p := primitives{pass: pass, said: map[string]bool{}}
		ast.Inspect(root, p.visit)
	}
	return nil, nil
}

type primitives struct {
	pass *analysis.Pass
	said map[string]bool // about one function each thing is said once
}

func (p *primitives) once(at token.Pos, what, why string) {
	if !p.said[what] {
		p.said[what] = true
		p.pass.Reportf(at, "%s in a proclet: %s", what, why)
	}
}

func (p *primitives) visit(n ast.Node) bool {
	info := p.pass.TypesInfo
	switch n := n.(type) {
	case *ast.GoStmt:
		p.pass.Reportf(n.Pos(), "go statement in a proclet: a goroutine stays on this machine when the proclet moves; start a thread with t.Go")
		return false
	case *ast.SelectStmt:
		p.channel(n.Pos())
	case *ast.SendStmt:
		p.channel(n.Pos())
	case *ast.ChanType:
		p.channel(n.Pos())
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			p.channel(n.Pos())
		}
	case *ast.RangeStmt:
		if isChannel(info.TypeOf(n.X)) {
			p.channel(n.Pos())
		}
	case *ast.CallExpr:
		if id, ok := ast.Unparen(n.Fun).(*ast.Ident); ok && len(n.Args) == 1 && id.Name == "close" && isChannel(info.TypeOf(n.Args[0])) {
			p.channel(n.Pos())
		}
	case *ast.Ident:
		p.name(n, info.Uses[n])
	}
	return true
}

func (p *primitives) channel(at token.Pos) {
	p.once(at, "channel", "what waits for it cannot move; use a proclet.Future, or a proclet.Deque and a proclet.Cond in the proclet's state")
}

// name is told of each name in the code and what it stands for.
func (p *primitives) name(id *ast.Ident, obj types.Object) {
	if obj == nil || obj.Pkg() == nil || instead[obj.Pkg().Path()] == nil {
		return
	}
	name := obj.Name()
	if fn, ok := obj.(*types.Func); ok && fn.Signature().Recv() != nil {
		receiver, _ := structOf(fn.Signature().Recv().Type())
		if receiver == nil {
			return
		}
		name = receiver.Name()
	}
	if why := instead[obj.Pkg().Path()][name]; why != "" {
		p.once(id.Pos(), obj.Pkg().Name()+"."+name, why)
	}
}

func isChannel(t types.Type) bool {
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Chan)
	return ok
}
