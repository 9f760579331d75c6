// Package vet finds in source code what proclets cannot do and the runtime would
// refuse, late and only where it happens: state that cannot move, arguments that
// cannot travel, goroutines and locks of Go's in methods, values of Go's heap
// that pin a thread.
//
// [Analyzers] are go/analysis passes. `nuos vet` runs them, and so does
//
//	go vet -vettool=$(which nuos) ./...
//
// which editors can be told as well (gopls: "go.vetFlags").
//
// # What runs in a proclet
//
// Some checks concern code that runs on a proclet's thread: methods of state
// types that take a *proclet.Thread first, functions that are started with
// Thread.Go, and what those call in the same package and give their Thread to.
// A type is a state type if the package uses it as one, as in proclet.Ref[T],
// or if it could be one.
//
// # Invariants
//
//   - What is reported is wrong or pins a thread wherever it runs; doubtful cases
//     are left to the runtime, which sees everything.
//   - A diagnostic says what to do instead.
//   - No pass exports facts: go vet has nothing to do for packages that are only
//     imported.
//
// # Caveats
//
// The rules for types repeat, over go/types, those of package proclet, which has
// them over reflect; a test compares the two. The escape analysis of the compiler
// is not available: goheap knows values that are in the heap whatever it decides,
// and looks at one package at a time.
package vet

import "golang.org/x/tools/go/analysis"

// Analyzers are all passes, in the order of their names.
var Analyzers = []*analysis.Analyzer{Copies, GoHeap, Keep, Methods, Primitives, State, Travel}
