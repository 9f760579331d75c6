package vet

import (
	"errors"
	"go/types"
	"io"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"

	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/proclet"
	"nuos/proclet/vet/testdata/state"
	"nuos/proclet/vet/testdata/travel"
	"nuos/rack"
)

// thread joins a rack of one machine.
func thread(t *testing.T) *proclet.Thread {
	p := port.New(nictest.New(t, nictest.Options{}).Attach(), netip.Prefix{})
	t.Cleanup(func() { p.Close() })
	r, err := rack.Join(rack.Config{Name: "vet", Key: "key", Machines: 1, Port: p, Build: "test", Console: io.Discard, OnFenced: func() {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return proclet.Serve(r).Current()
}

// examples loads a package of testdata.
func examples(t *testing.T, name string) *packages.Package {
	all, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax}, "nuos/proclet/vet/testdata/"+name)
	if err != nil || len(all) != 1 || len(all[0].Errors) > 0 {
		t.Fatal(err, all)
	}
	return all[0]
}

// TestStateAgrees: the analyzer and proclet.New refuse the same state types, and
// name the same field.
func TestStateAgrees(t *testing.T) {
	th := thread(t)
	tests := []struct {
		name string
		err  error
	}{
		{"Good", tryState[state.Good](th)},
		{"Bad", tryState[state.Bad](th)},
		{"Nested", tryState[state.Nested](th)},
		{"List", tryState[state.List](th)},
		{"Raw", tryState[state.Raw](th)},
		{"Events", tryState[state.Events](th)},
		{"Hook", tryState[state.Hook](th)},
		{"Any", tryState[state.Any](th)},
		{"Lines", tryState[state.Lines](th)},
		{"Caller", tryState[state.Caller](th)},
		{"Request", tryState[state.Request](th)},
		{"FloatKey", tryState[state.FloatKey](th)},
		{"PaddedKey", tryState[state.PaddedKey](th)},
		{"Cached", tryState[state.Cached](th)},
		{"Unordered", tryState[state.Unordered](th)},
		{"Futures", tryState[state.Futures](th)},
	}
	p := examples(t, "state")
	for _, test := range tests {
		f := stateFault(p.Types.Scope().Lookup(test.name).Type(), p.TypesSizes)
		if (f == nil) != (test.err == nil) || f != nil && (!errors.Is(test.err, proclet.ErrType) || !strings.Contains(test.err.Error(), f.path)) {
			t.Errorf("%s: the analyzer says %q, proclet.New %v", test.name, f, test.err)
		}
	}
}

func tryState[S any](t *proclet.Thread) error {
	ref, err := proclet.New[S](t, proclet.Options{})
	if err == nil {
		err = proclet.Release(t, ref)
	}
	return err
}

// TestTravelAgrees: the analyzer and proclet.Call refuse the same arguments and
// results.
func TestTravelAgrees(t *testing.T) {
	th := thread(t)
	tests := []struct {
		method string
		err    error
	}{
		{"Good", tryCall(th, (*travel.S).Good)},
		{"Any", tryCall(th, (*travel.S).Any)},
		{"Error", tryCall(th, (*travel.S).Error)},
		{"Tree", tryCall(th, (*travel.S).Tree)},
		{"Event", tryCall(th, (*travel.S).Event)},
		{"Map", tryCall(th, (*travel.S).Map)},
		{"Container", tryCall(th, (*travel.S).Container)},
		{"Context", tryCall(th, (*travel.S).Context)},
		{"Thread", tryCall(th, (*travel.S).Thread)},
		{"Time", tryCall(th, (*travel.S).Time)},
	}
	p := examples(t, "travel")
	s := p.Types.Scope().Lookup("S").Type()
	for _, test := range tests {
		method, _, _ := types.LookupFieldOrMethod(types.NewPointer(s), true, p.Types, test.method)
		sig := method.(*types.Func).Signature()
		var f *fault
		for _, t := range []types.Type{sig.Params().At(1).Type(), sig.Results().At(0).Type()} {
			if c := (travelChecker{}); f == nil {
				f = c.check(t, typeName(t))
			}
		}
		if (f == nil) != (test.err == nil) || f != nil && !errors.Is(test.err, proclet.ErrType) {
			t.Errorf("%s: the analyzer says %v, proclet.Call %v", test.method, f, test.err)
		}
	}
}

func tryCall[A, R any](t *proclet.Thread, method func(*travel.S, *proclet.Thread, A) (R, error)) error {
	ref, err := proclet.New[travel.S](t, proclet.Options{})
	if err != nil {
		return err
	}
	var arg A
	_, err = proclet.Call(t, ref, method, arg)
	return errors.Join(err, proclet.Release(t, ref))
}
