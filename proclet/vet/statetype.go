package vet

import (
	"fmt"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

// State checks the types of proclets' state.
var State = &analysis.Analyzer{
	Name: "state",
	Doc: `check that state types of proclets hold nothing that cannot move

Go's maps, channels, functions, interfaces, strings, slices and pointers in a
proclet's state would point out of its heap. proclet.New refuses them at run time.`,
	Run: runState,
}

func runState(pass *analysis.Pass) (any, error) {
	if !concerns(pass) {
		return nil, nil
	}
	said := map[string]bool{}
	for _, u := range uses(pass, "ST") {
		var f *fault
		switch {
		case u.param == "S":
			f = stateFault(u.typ, pass.TypesSizes)
		case u.ofObject():
			f = objectFault(u.typ, pass.TypesSizes)
		}
		if f == nil || said[f.String()] {
			continue
		}
		said[f.String()] = true
		at := u.at.Pos()
		if f.field != nil && f.field.Pkg() == pass.Pkg {
			at = f.field.Pos()
		}
		pass.Reportf(at, "%v", f)
	}
	return nil, nil
}

// fault says why a type cannot be what it is used as.
type fault struct {
	use     string // "state", "argument or result"
	path    string // where in the type
	what    string
	instead string
	field   *types.Var // the innermost field on the path that its package declares, or nil
}

func (f *fault) String() string {
	return fmt.Sprintf("%s: %s is %s; %s", f.use, f.path, f.what, f.instead)
}

// stateFault returns why t cannot be the state of a proclet, or nil. The rules
// are those of proclet.New.
func stateFault(t types.Type, sizes types.Sizes) *fault {
	if _, ok := t.Underlying().(*types.Struct); !ok {
		return &fault{use: "state", path: typeName(t), what: "not a struct", instead: "use a struct with a field of that type"}
	}
	return objectFault(t, sizes)
}

// objectFault returns why a value of type t cannot lie in a proclet's heap, or nil.
func objectFault(t types.Type, sizes types.Sizes) *fault {
	c := stateChecker{sizes: sizes, seen: map[types.Type]bool{}}
	if n, ok := types.Unalias(t).(*types.Named); ok {
		c.pkg = n.Obj().Pkg()
	}
	return c.check(t, typeName(t), nil)
}

type stateChecker struct {
	sizes types.Sizes
	pkg   *types.Package      // of the state type, in whose fields faults are reported
	seen  map[types.Type]bool // those that were or are being checked
}

// check checks t, which is found at path, the type of field or a part of it.
func (c *stateChecker) check(t types.Type, path string, field *types.Var) *fault {
	refuse := func(what, instead string) *fault {
		return &fault{"state", path, what, "use " + instead, field}
	}
	if c.seen[t] {
		return nil
	}
	c.seen[t] = true
	if isPrimitive(t) || isCounted(t) {
		return nil
	}
	if isContainer(t) {
		return c.container(t, path, field)
	}
	switch {
	case isThread(t):
		return refuse("a *proclet.Thread, which ends with its call", "the Thread that each method is given")
	case isContext(t):
		return refuse("a context.Context, which belongs to one machine", "a deadline as a number, and proclet.Timer")
	}
	switch u := t.Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			at := field
			if f.Pkg() == c.pkg {
				at = f
			}
			if fault := c.check(f.Type(), path+"."+f.Name(), at); fault != nil {
				return fault
			}
		}
	case *types.Array:
		return c.check(u.Elem(), path+"[]", field)
	case *types.Map:
		return refuse("a Go map", fmt.Sprintf("proclet.Map[%s, %s]", replacement(u.Key()), replacement(u.Elem())))
	case *types.Slice:
		return refuse("a Go slice", fmt.Sprintf("proclet.Slice[%s]", replacement(u.Elem())))
	case *types.Pointer:
		return refuse("a pointer", "a value, or a proclet.Ref to a proclet of its own")
	case *types.Chan:
		return refuse("a channel", "proclet.Slice and calls")
	case *types.Signature:
		return refuse("a function", "a number or a proclet.Ref that says what to do")
	case *types.Interface:
		return refuse("an interface", "a concrete type")
	case *types.Basic:
		switch u.Kind() {
		case types.String:
			return refuse("a Go string", "proclet.String")
		case types.UnsafePointer:
			return refuse("a pointer", "a value, or a proclet.Ref to a proclet of its own")
		}
	}
	return nil
}

// container checks the types of what is in a container.
func (c *stateChecker) container(t types.Type, path string, field *types.Var) *fault {
	name, args := modelType(t)
	for i, a := range args {
		if i == 0 && (name == "Map" || name == "Set") {
			if f := c.checkKey(a, "key of "+path, field); f != nil {
				return f
			}
			continue
		}
		if i == 0 && (name == "OrderedMap" || name == "Heap") && !isOrdered(a) {
			return &fault{"state", path, "ordered by a " + typeName(a),
				fmt.Sprintf("use a number, proclet.String, or give it a method Compare(%s) int", typeName(a)), field}
		}
		if f := c.check(a, path+"[]", field); f != nil {
			return f
		}
	}
	return nil
}

// isOrdered reports whether values of type t can be put in order.
func isOrdered(t types.Type) bool {
	if isText(t) {
		return true
	}
	if b, ok := t.Underlying().(*types.Basic); ok && b.Info()&(types.IsInteger|types.IsFloat) != 0 {
		return true
	}
	m := types.NewMethodSet(types.NewPointer(t)).Lookup(nil, "Compare")
	if m == nil {
		return false
	}
	s := m.Obj().Type().(*types.Signature)
	return s.Params().Len() == 1 && types.Identical(s.Params().At(0).Type(), t) &&
		s.Results().Len() == 1 && types.Identical(s.Results().At(0).Type(), types.Typ[types.Int])
}

// checkKey returns why t cannot be the key type of a Map, or nil: it is a String,
// or something that is equal exactly if its bytes are.
func (c *stateChecker) checkKey(t types.Type, path string, field *types.Var) *fault {
	refuse := func(why string) *fault {
		return &fault{"state", path, "a " + typeName(t) + ", " + why, "use proclet.String or a type made of integers", field}
	}
	if isText(t) {
		return nil
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		switch {
		case u.Info()&(types.IsBoolean|types.IsInteger) != 0:
			return nil
		case u.Info()&(types.IsFloat|types.IsComplex) != 0:
			return refuse("whose values can be equal with different bytes")
		}
	case *types.Array:
		return c.checkKey(u.Elem(), path+"[]", field)
	case *types.Struct:
		if isPrimitive(t) || isContainer(t) {
			break
		}
		fields := make([]*types.Var, u.NumFields())
		for i := range fields {
			fields[i] = u.Field(i)
		}
		end := int64(0)
		for i, at := range c.sizes.Offsetsof(fields) {
			f := fields[i]
			if at != end || f.Name() == "_" {
				return refuse("which has padding")
			}
			if fault := c.checkKey(f.Type(), path+"."+f.Name(), f); fault != nil {
				return fault
			}
			if isText(f.Type()) {
				return refuse("which contains a String")
			}
			end = at + c.sizes.Sizeof(f.Type())
		}
		if end != c.sizes.Sizeof(t) {
			return refuse("which has padding")
		}
		return nil
	}
	return refuse("which cannot be a key")
}

// replacement is what takes the place of a Go type in a proclet's state.
func replacement(t types.Type) string {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if u.Kind() == types.String {
			return "proclet.String"
		}
	case *types.Slice:
		return "proclet.Slice[" + replacement(u.Elem()) + "]"
	case *types.Map:
		return "proclet.Map[" + replacement(u.Key()) + ", " + replacement(u.Elem()) + "]"
	case *types.Pointer:
		return replacement(u.Elem())
	}
	return typeName(t)
}
