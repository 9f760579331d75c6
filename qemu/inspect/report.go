package inspect

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Report writes what a machine was doing: processors, threads, goroutines, all with
// their stacks, and the end of the trace. What cannot be read is said and left out.
func (m *Machine) Report(w io.Writer, events int) error {
	processors, err := m.Processors()
	if err != nil {
		return err
	}
	for _, p := range processors {
		fmt.Fprintf(w, "processor %d, mode %s, thread %d:\n", p.ID, p.Mode, p.Thread)
		writeStack(w, p.Stack)
	}
	if err := m.WriteThreads(w); err != nil {
		fmt.Fprintf(w, "threads cannot be read: %v\n", err)
	}
	if err := m.WriteGoroutines(w); err != nil {
		fmt.Fprintf(w, "goroutines cannot be read: %v\n", err)
	}
	fmt.Fprintf(w, "\nthe last events:\n")
	if err := m.WriteTrace(w, events); err != nil {
		fmt.Fprintf(w, "the trace cannot be read: %v\n", err)
	}
	return nil
}

// WriteThreads writes a list of the threads with their stacks.
func (m *Machine) WriteThreads(w io.Writer) error {
	threads, err := m.Threads()
	if err != nil {
		return err
	}
	for _, t := range threads {
		fmt.Fprintf(w, "\nthread %d", t.ID)
		if t.Name != "" {
			fmt.Fprintf(w, " %q", t.Name)
		}
		fmt.Fprintf(w, " [%s", t.State)
		if t.Wait != "" {
			fmt.Fprintf(w, " in %s", t.Wait)
		}
		fmt.Fprintf(w, ", processor %d, %v used", t.Processor, time.Duration(t.Used))
		if t.Goroutine != 0 {
			fmt.Fprintf(w, ", goroutine %d", t.Goroutine)
		}
		fmt.Fprintf(w, "]:\n")
		writeStack(w, t.Stack)
	}
	return nil
}

// WriteGoroutines writes the goroutines much as the runtime prints them.
func (m *Machine) WriteGoroutines(w io.Writer) error {
	all, err := m.Goroutines()
	if err != nil {
		return err
	}
	for _, g := range all {
		fmt.Fprintf(w, "\n%s\n", g)
		writeStack(w, g.Stack)
		if g.CreatedAt.function != "" {
			fmt.Fprintf(w, "created by %v\n", g.CreatedAt)
		}
	}
	return nil
}

func writeStack(w io.Writer, s stack) {
	for _, p := range s.places {
		fmt.Fprintf(w, "    %v\n", p)
	}
}

// WriteTrace writes the last n events.
func (m *Machine) WriteTrace(w io.Writer, n int) error {
	all, err := m.Trace()
	if err != nil {
		return err
	}
	for _, e := range all[max(0, len(all)-n):] {
		fmt.Fprintln(w, e)
	}
	return nil
}

// Write writes the statistics as tables.
func (s *Statistics) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d processors, %d threads, %v of time\n\n", s.Processors, s.Threads, time.Duration(s.Uptime).Round(time.Millisecond))
	fmt.Fprint(t, "EVENT\tTOTAL\t")
	for i := range s.Processors {
		fmt.Fprintf(t, "CPU %d\t", i)
	}
	fmt.Fprintln(t)
	for _, e := range s.Events {
		if e.Name == "call" {
			continue // those that the trace has; all are counted below
		}
		total := uint64(0)
		for _, n := range e.On {
			total += n
		}
		fmt.Fprintf(t, "%s\t%d\t", e.Name, total)
		for _, n := range e.On {
			fmt.Fprintf(t, "%d\t", n)
		}
		fmt.Fprintln(t)
	}
	fmt.Fprintf(t, "\t\nSYSTEM CALL\tCOUNT\t\n")
	for _, c := range s.Calls {
		name, note := c.Name, ""
		if name == "" {
			name = fmt.Sprintf("number %d", c.Number)
		}
		if c.Unknown != 0 {
			note = fmt.Sprintf("  %d not implemented (number %d)", c.Unknown, c.Number)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\n", name, c.Count, note)
	}
	fmt.Fprintf(t, "\t\nMEMORY\tFRAMES\tMiB\t\n")
	for _, f := range s.Frames {
		fmt.Fprintf(t, "%s\t%d\t%.1f\t\n", f.Owner, f.Count, float64(f.Count)/256)
	}
	return t.Flush()
}
