// Package samples keeps what benchmarks have measured in several runs. It reads the format
// of Go's benchmarks (golang.org/design/14313-benchmark-format), of which it needs the names,
// the values and their units. Not safe for concurrent use.
package samples

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrFormat means that a line which begins as a benchmark's result does not go on as one.
var ErrFormat = errors.New("samples: not the result of a benchmark")

// Figure is something that is measured, such as Syscall in ns/op.
type Figure struct{ Benchmark, Unit string }

// Set holds the samples of many figures. The zero value is empty and ready.
type Set struct {
	order  []Figure
	values map[Figure][]float64
}

// Add adds one sample.
func (s *Set) Add(f Figure, v float64) {
	if s.values == nil {
		s.values = map[Figure][]float64{}
	}
	if s.values[f] == nil {
		s.order = append(s.order, f)
	}
	s.values[f] = append(s.values[f], v)
}

// processors is what Go puts at the end of a name.
var processors = regexp.MustCompile(`-\d+$`)

// Parse adds all results in a text: lines of a name, how often it was run, and values with
// their units. Other lines mean nothing. It returns ErrFormat at the first that is wrong.
func (s *Set) Parse(text string) error {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := processors.ReplaceAllString(strings.TrimPrefix(f[0], "Benchmark"), "")
		for i := 2; i < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil || i+1 == len(f) {
				return fmt.Errorf("%w: %s", ErrFormat, strings.TrimSpace(line))
			}
			s.Add(Figure{name, f[i+1]}, v)
		}
	}
	return nil
}

// Figures lists what there are samples of, in the order in which it was first added.
func (s *Set) Figures() []Figure { return slices.Clone(s.order) }

// Values returns the samples of a figure in the order in which they were added.
func (s *Set) Values(f Figure) []float64 { return slices.Clone(s.values[f]) }

// Median returns the median of a figure's samples, NaN if there are none.
func (s *Set) Median(f Figure) float64 {
	v := slices.Sorted(slices.Values(s.values[f]))
	if len(v) == 0 {
		return math.NaN()
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
