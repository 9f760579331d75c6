package stackmap

import (
	"fmt"
	"runtime"
	"testing"
)

var (
	bench  *testing.B
	leaf   func()
	frames int
)

// below calls leaf with n frames between it and its caller. They hold a
// pointer into the stack each, and numbers.
//
//go:noinline
func below(n int, up *int) int {
	m := n
	if n == 0 {
		leaf()
		return m
	}
	return below(n-1, &m) + *up + m
}

// belowMark is the frames that are checked: together with its own and
// mark's there are that many.
func belowMark() {
	n := 0
	intSink = below(frames-3, &n)
}

func warm() { checks(func() {}) }

// cold forgets all frames each time, so that the tables have to be read.
func cold() {
	checks(func() {
		sites.table.Store(newSiteTable(8))
		sites.count = 0
	})
}

//go:noinline
func checks(before func()) {
	_, sp, _ := caller()
	size := hi - sp
	for bench.Loop() {
		before()
		pc, sp, bp := caller()
		err := Check(pc, sp, bp, Stack{Lo: sp, Hi: sp + size})
		if _, now, _ := caller(); err != nil && now == sp { // the stack has not been moved
			bench.Fatal(err)
		}
	}
}

func callers() {
	pcs := make([]uintptr, frames)
	for bench.Loop() {
		runtime.Callers(1, pcs)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, n := range []int{5, 20, 100} {
		for _, f := range []struct {
			name string
			leaf func()
		}{{"warm", warm}, {"cold", cold}, {"callers", callers}} {
			b.Run(fmt.Sprintf("frames=%d/%s", n, f.name), func(b *testing.B) {
				smear(0) // the stack must not grow meanwhile
				bench, leaf, frames = b, f.leaf, n
				mark(belowMark)
			})
		}
	}
}
