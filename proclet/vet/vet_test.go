package vet

import (
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

// TestDiagnostics runs each analyzer over the package in testdata that has its
// name, whose comments say what is to be reported in which line.
func TestDiagnostics(t *testing.T) {
	if err := analysis.Validate(Analyzers); err != nil {
		t.Fatal(err)
	}
	for _, a := range Analyzers {
		t.Run(a.Name, func(t *testing.T) {
			results := analysistest.Run(t, "../..", a, "./proclet/vet/testdata/"+a.Name)
			if len(results) != 1 || len(results[0].Diagnostics) == 0 {
				t.Errorf("%s reports nothing about its own example", a.Name)
			}
		})
	}
}
