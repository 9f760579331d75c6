package vet

import (
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// Travel checks the types of arguments and results of calls.
var Travel = &analysis.Analyzer{
	Name: "travel",
	Doc: `check that arguments and results of calls can be copied between proclets

Interfaces, channels, functions, containers of a proclet and types that contain
themselves cannot. proclet.Call refuses them at run time.`,
	Run: runTravel,
}

func runTravel(pass *analysis.Pass) (any, error) {
	if !concerns(pass) {
		return nil, nil
	}
	for _, u := range uses(pass, "AR") {
		c := travelChecker{use: map[string]string{"A": "argument", "R": "result"}[u.param]}
		if f := c.check(u.typ, typeName(u.typ)); f != nil {
			pass.Reportf(u.at.Pos(), "%v", f)
		}
	}
	return nil, nil
}

type travelChecker struct {
	use  string
	open []types.Type // types being checked, outermost first
}

// check returns why t, which is found at path, cannot travel, or nil.
func (c *travelChecker) check(t types.Type, path string) *fault {
	refuse := func(what, instead string) *fault {
		return &fault{use: c.use, path: path, what: what, instead: instead}
	}
	if slices.ContainsFunc(c.open, func(o types.Type) bool { return types.Identical(o, t) }) {
		return refuse(typeName(t)+", which contains itself", "pass a slice of its elements")
	}
	c.open = append(c.open, t)
	defer func() { c.open = c.open[:len(c.open)-1] }()

	switch {
	case isTime(t) || isText(t) || isCounted(t):
		return nil
	case isContainer(t) || isPrimitive(t):
		name, _ := modelType(t)
		return refuse("a proclet."+name+", which stays in its proclet", "pass a Go slice or map")
	case isThread(t):
		return refuse("a *proclet.Thread", "the method gets one of its own")
	case isContext(t):
		return refuse("a context.Context", "pass the deadline as a time.Time")
	case hasEncoding(t):
		return nil
	}
	switch u := t.Underlying().(type) {
	case *types.Slice:
		return c.check(u.Elem(), path+"[]")
	case *types.Array:
		return c.check(u.Elem(), path+"[]")
	case *types.Pointer:
		return c.check(u.Elem(), "(*"+path+")")
	case *types.Map:
		if f := c.check(u.Key(), "key of "+path); f != nil {
			return f
		}
		return c.check(u.Elem(), path+"[]")
	case *types.Struct:
		for f := range u.Fields() {
			if fault := c.check(f.Type(), path+"."+f.Name()); fault != nil {
				return fault
			}
		}
	case *types.Interface:
		return refuse("an interface", "pass the concrete type")
	case *types.Chan:
		return refuse("a channel", "pass a Ref to a proclet")
	case *types.Signature:
		return refuse("a function", "pass a Ref to a proclet")
	case *types.Basic:
		if u.Kind() == types.UnsafePointer {
			return refuse("an unsafe.Pointer", "pass a value")
		}
	}
	return nil
}

func isTime(t types.Type) bool {
	n, ok := types.Unalias(t).(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == "time" && n.Obj().Name() == "Time"
}

// hasEncoding reports whether t brings its own encoding, with the methods of
// encoding.BinaryAppender and encoding.BinaryUnmarshaler.
func hasEncoding(t types.Type) bool {
	switch t.Underlying().(type) {
	case *types.Pointer, *types.Interface:
		return false
	}
	methods := types.NewMethodSet(types.NewPointer(t))
	is := func(name string, params, results int) bool {
		m := methods.Lookup(nil, name)
		if m == nil {
			return false
		}
		s := m.Obj().Type().(*types.Signature)
		return s.Params().Len() == params && s.Results().Len() == results
	}
	return is("AppendBinary", 1, 2) && is("UnmarshalBinary", 1, 1)
}
