package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"nuos/qemu/gotest"
)

// row is a package in the table.
type row struct {
	pkg         string
	nuos, linux *gotest.Result
	err         error // the tests could not be run
}

func (w row) passed() bool { return w.err == nil && w.nuos.Passed() }

// entire reports whether everything that runs on Linux runs here, but for exceptions.
func (w row) entire() bool {
	return w.nuos != nil && !w.nuos.Crashed && len(w.nuos.Unexpected()) == 0 && len(gotest.Compare(w.nuos, w.linux).Differ) == 0
}

// table shows every package that has tests, with what ran, here and in the Linux guest.
type table struct {
	rows     []row
	compared bool
	ran      []row // those of which tests passed in the Linux guest, and nothing ended it
}

func newTable(rows []row) *table {
	t := new(table)
	for _, w := range rows {
		if w.nuos != nil && w.nuos.NoTests {
			continue
		}
		t.rows = append(t.rows, w)
		if w.linux == nil {
			continue
		}
		t.compared = true
		if _, passed, _, _ := w.linux.Count(); passed > 0 && !w.linux.Crashed {
			t.ran = append(t.ran, w)
		}
	}
	return t
}

// cells are the columns of one system.
func cells(r *gotest.Result) []string {
	if r == nil {
		return []string{"not run", "", "", "", ""}
	}
	run, passed, failed, skipped := r.Count()
	cells := []string{fmt.Sprint(run), fmt.Sprint(passed), fmt.Sprint(failed), fmt.Sprint(skipped), fmt.Sprintf("%.1fs", r.Elapsed.Seconds())}
	if r.Crashed {
		cells[0] = "crashed, " + cells[0]
	}
	return cells
}

// sums are the columns of one system at the end of the table.
func sums(results []*gotest.Result) []string {
	var run, passed, failed, skipped int
	var seconds float64
	for _, r := range results {
		if r != nil {
			a, b, c, d := r.Count()
			run, passed, failed, skipped = run+a, passed+b, failed+c, skipped+d
			seconds += r.Elapsed.Seconds()
		}
	}
	return []string{fmt.Sprint(run), fmt.Sprint(passed), fmt.Sprint(failed), fmt.Sprint(skipped), fmt.Sprintf("%.0fs", seconds)}
}

var columns = []string{"run", "passed", "failed", "skipped", "time"}

// lines are the heads, the rows and the sums.
func (t *table) lines() (all [][]string) {
	head := slices.Concat([]string{"package"}, columns, []string{"exceptions"})
	if t.compared {
		head = append(head, "Linux: run")
		head = append(head, columns[1:]...)
	}
	all = append(all, head)
	var here, there []*gotest.Result
	excepted := 0
	for _, w := range t.rows {
		n := 0
		if w.linux != nil && w.nuos != nil {
			n = len(gotest.Compare(w.nuos, w.linux).Excepted)
		} else if w.nuos != nil {
			n = len(w.nuos.Excepted())
		}
		excepted += n
		line := slices.Concat([]string{w.pkg}, cells(w.nuos), []string{fmt.Sprint(n)})
		if t.compared {
			line = append(line, cells(w.linux)...)
		}
		all = append(all, line)
		here, there = append(here, w.nuos), append(there, w.linux)
	}
	last := slices.Concat([]string{fmt.Sprintf("%d packages", len(t.rows))}, sums(here), []string{fmt.Sprint(excepted)})
	if t.compared {
		last = append(last, sums(there)...)
	}
	return append(all, last)
}

// text prints the table for people at a terminal.
func (t *table) text(w io.Writer) {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out)
	for _, line := range t.lines() {
		fmt.Fprintf(out, "%s\t  %s\n", strings.Join(line[1:], "\t"), line[0])
	}
	out.Flush()
	t.summary(w)
}

// summary says how much of what runs in the Linux guest runs here, and what does not.
func (t *table) summary(w io.Writer) {
	passed := 0
	for _, r := range t.rows {
		if r.passed() {
			passed++
		}
	}
	fmt.Fprintf(w, "\n%d packages have tests; %d pass, but for exceptions.\n", len(t.rows), passed)
	if !t.compared {
		return
	}
	entire, pure, tests, same, excepted, differ := 0, 0, 0, 0, 0, 0
	for _, r := range t.ran {
		c := gotest.Compare(cmp.Or(r.nuos, new(gotest.Result)), r.linux)
		tests, same = tests+c.Ran(), same+len(c.Passed)
		excepted, differ = excepted+len(c.Excepted), differ+len(c.Differ)
		if r.entire() {
			entire++
			if len(c.Excepted) == 0 {
				pure++
			}
		}
	}
	fmt.Fprintf(w, "%d packages run in the Linux guest; %d of them (%s) run entirely here, %d of these without an exception.\n",
		len(t.ran), entire, share(entire, len(t.ran)), pure)
	fmt.Fprintf(w, "%d tests of these pass in the Linux guest; %d (%s) pass here, %d (%s) are exceptions, %d (%s) are neither.\n",
		tests, same, share(same, tests), excepted, share(excepted, tests), differ, share(differ, tests))
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(n)/float64(of))
}

// save writes the table as a document.
func (t *table) save(file, command string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# The standard library's tests in an image\n\nWritten by `%s`.\n", command)
	fmt.Fprintf(&b, "%s; %s.\n", runtime.Version(), t.when())
	b.WriteString(`
Each package is tested in a machine of its own, here and, with the same sources, flags and time-outs, in a Debian Linux
guest under the same emulator. Tests are counted without their subtests; one whose subtest does not pass here does not
pass. Tests that skip themselves on both systems are not compared. Most of these build programs with the go command,
which neither machine has. Times are those of whole machines, from the start of the emulator to its end, on a
computer that does other things too: they show what is slow, not which system is faster.
`)
	t.summary(&b)
	b.WriteString("\n")
	for i, line := range t.lines() {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "| --- |%s\n", strings.Repeat(" ---: |", len(line)-1))
		}
	}
	t.reasons(&b)
	t.failures(&b)
	return os.WriteFile(file, []byte(b.String()), 0o666)
}

// when says from what days and sources the results in images are.
func (t *table) when() string {
	days, revisions := map[string]bool{}, map[string]bool{}
	for _, w := range t.rows {
		if w.nuos != nil {
			days[w.nuos.Began.UTC().Format("2006-01-02")] = true
			revisions[w.nuos.Revision] = true
		}
	}
	list := func(m map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }
	return fmt.Sprintf("run on %s; revision %s", list(days), list(revisions))
}

// reasons lists what passes in the Linux guest and not here.
func (t *table) reasons(w io.Writer) {
	if !t.compared {
		return
	}
	by := map[string][]string{} // tests by reason
	for _, r := range t.ran {
		c := gotest.Compare(cmp.Or(r.nuos, new(gotest.Result)), r.linux)
		for test, reason := range c.Excepted {
			by[reason] = append(by[reason], r.pkg+" "+test)
		}
		for _, test := range c.Differ {
			by[""] = append(by[""], r.pkg+" "+test)
		}
	}
	fmt.Fprintf(w, "\n## Passes in the Linux guest, but not here\n\n")
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		slices.Sort(by[reason])
		fmt.Fprintf(w, "- %s: %s\n", cmp.Or(reason, "**without a reason that is known**"), strings.Join(by[reason], ", "))
	}
}

// failures lists what fails here and is no exception, whatever Linux makes of it.
func (t *table) failures(w io.Writer) {
	fmt.Fprintf(w, "\n## Fails here, and is no exception\n\n")
	n := 0
	for _, r := range t.rows {
		if r.nuos == nil {
			continue
		}
		for _, test := range r.nuos.Unexpected() {
			there := "not run"
			if r.linux != nil {
				there = cmp.Or(r.linux.Outcome[test], "not there")
			}
			fmt.Fprintf(w, "- %s %s (in the Linux guest: %s)\n", r.pkg, test, there)
			n++
		}
	}
	if n == 0 {
		fmt.Fprintln(w, "Nothing.")
	}
}
