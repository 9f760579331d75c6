package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"nuos/qemu/gotest"
)

// printTable shows every package with what ran, here and in the Linux guest.
func printTable(w io.Writer, rows []row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	compared := false
	for _, r := range rows {
		compared = compared || r.linux != nil
	}
	fmt.Fprint(t, "\nrun\tpass\tfail\tskip\ttime\t")
	if compared {
		fmt.Fprint(t, "Linux: run\tpass\tfail\tskip\ttime\t")
	}
	fmt.Fprint(t, "   package\n")
	var here, there total
	for _, r := range rows {
		if r.nuos == nil || r.nuos.NoTests {
			continue
		}
		here.add(t, r.nuos)
		if compared {
			there.add(t, r.linux)
		}
		fmt.Fprintf(t, "   %s\n", r.nuos.Package)
	}
	here.print(t)
	if compared {
		there.print(t)
	}
	fmt.Fprintf(t, "   %d packages, %d pass", here.packages, here.ok)
	if compared {
		fmt.Fprintf(t, "; Linux: %d pass", there.ok)
	}
	fmt.Fprintln(t)
	t.Flush()
}

// total sums a column up.
type total struct {
	packages, ok               int
	run, passed, failed, skips int
	seconds                    float64
}

func (s *total) add(t io.Writer, r *gotest.Result) {
	if r == nil {
		fmt.Fprint(t, "-\t-\t-\t-\t-\t")
		return
	}
	run, passed, failed, skipped := r.Count()
	s.packages++
	if r.Passed() {
		s.ok++
	}
	s.run, s.passed, s.failed, s.skips = s.run+run, s.passed+passed, s.failed+failed, s.skips+skipped
	s.seconds += r.Elapsed.Seconds()
	mark := ""
	if r.Crashed {
		mark = "crashed "
	}
	fmt.Fprintf(t, "%s%d\t%d\t%d\t%d\t%.1fs\t", mark, run, passed, failed, skipped, r.Elapsed.Seconds())
}

func (s *total) print(t io.Writer) {
	fmt.Fprintf(t, "%d\t%d\t%d\t%d\t%.0fs\t", s.run, s.passed, s.failed, s.skips, s.seconds)
}
