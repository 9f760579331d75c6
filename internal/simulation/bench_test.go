package simulation

import (
	"testing"
	"time"
)

// BenchmarkRack is a second of a rack of 1,000 machines with 100,000 proclets.
func BenchmarkRack(b *testing.B) {
	c := Default(1, 1000, 100_000, .85)
	c.For = time.Duration(b.N) * time.Second
	b.ResetTimer()
	r, err := Run(b.Context(), c)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(r.Moves)/float64(b.N), "moves/op")
}
