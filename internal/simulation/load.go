package simulation

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Load is what applications ask for over time, each as a line between points. After the last
// point it begins anew.
type Load struct {
	applications int
	every        time.Duration // from a row to the next
	rows         [][]float64   // processors, by application
}

// ErrLoad means that a table of load cannot be used.
var ErrLoad = errors.New("simulation: unusable load")

// RandomLoad makes applications whose loads rise and fall, each in its own time, and that have bursts. The sum of
// all is processors at its highest.
func RandomLoad(r *rand.Rand, applications int, processors float64) *Load {
	const rows = 1200
	l := &Load{applications: applications, every: 50 * time.Millisecond, rows: make([][]float64, rows)}
	for i := range l.rows {
		l.rows[i] = make([]float64, applications)
	}
	for a := range applications {
		size := math.Exp(r.NormFloat64() / 2) // some are much larger than others
		// Whole numbers of waves: the end fits the beginning.
		slow, fast := float64(1+r.IntN(3)), float64(4+r.IntN(12))
		phase, phase2 := 2*math.Pi*r.Float64(), 2*math.Pi*r.Float64()
		bursts := make([]float64, rows)
		for range r.IntN(4) {
			at, long, high := r.IntN(rows), 6+r.IntN(60), .5+2*r.Float64()
			for i := range long {
				bursts[(at+i)%rows] = high
			}
		}
		for i := range l.rows {
			x := 2 * math.Pi * float64(i) / rows
			l.rows[i][a] = size * (1 + .6*math.Sin(slow*x+phase) + .2*math.Sin(fast*x+phase2) + bursts[i])
		}
	}
	highest := 0.
	for _, row := range l.rows {
		sum := 0.
		for _, x := range row {
			sum += x
		}
		highest = max(highest, sum)
	}
	for _, row := range l.rows {
		for a := range row {
			row[a] *= processors / highest
		}
	}
	return l
}

// ReadLoad reads a table of comma-separated values. Its first line names the applications, after a name
// for the time; each other line has seconds, at equal distances, and the processors that
// each application asks for then. It returns ErrLoad, with the line, for anything else.
func ReadLoad(from io.Reader) (*Load, error) {
	table := csv.NewReader(from)
	head, err := table.Read()
	if err != nil || len(head) < 2 {
		return nil, fmt.Errorf("%w: want a first line with names of applications (%v)", ErrLoad, err)
	}
	l := &Load{applications: len(head) - 1}
	for last := time.Duration(0); ; {
		fields, err := table.Read()
		if err == io.EOF {
			break
		}
		line, _ := table.FieldPos(0)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrLoad, err)
		}
		row := make([]float64, len(fields))
		for i, f := range fields {
			if row[i], err = strconv.ParseFloat(f, 64); err != nil || !(row[i] >= 0 && row[i] < 1e9) {
				return nil, fmt.Errorf("%w: line %d: %q is not a number between 0 and a billion", ErrLoad, line, f)
			}
		}
		at := time.Duration(row[0] * float64(time.Second))
		switch n := len(l.rows); {
		case n == 1 && at > last:
			l.every = at - last
		case n == 1, n > 1 && (at-last-l.every).Abs() > l.every/1000+time.Microsecond:
			return nil, fmt.Errorf("%w: line %d: %v after the line before, want %v", ErrLoad, line, at-last, l.every)
		}
		last = at
		l.rows = append(l.rows, row[1:])
	}
	if len(l.rows) < 2 {
		return nil, fmt.Errorf("%w: want at least two lines after the first", ErrLoad)
	}
	return l, nil
}

// around returns the rows before and after a moment, and how far it is from one to the other.
func (l *Load) around(now time.Duration) (row int, before, after []float64, part float64) {
	row = int(now / l.every)
	return row, l.rows[row%len(l.rows)], l.rows[(row+1)%len(l.rows)], float64(now%l.every) / float64(l.every)
}

// peaks returns the highest load of each application, and that of all together.
func (l *Load) peaks() (each []float64, all float64) {
	each = make([]float64, l.applications)
	for _, row := range l.rows {
		sum := 0.
		for a, x := range row {
			each[a] = max(each[a], x)
			sum += x
		}
		all = max(all, sum)
	}
	return each, all
}
