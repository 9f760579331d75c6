package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"

	"nuos/migrate"
	"nuos/migrate/watch"
)

var (
	faint = lipgloss.NewStyle().Faint(true)
	bold  = lipgloss.NewStyle().Bold(true)
	calm  = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	warm  = lipgloss.NewStyle().Foreground(lipgloss.Color("3"))
	hot   = lipgloss.NewStyle().Foreground(lipgloss.Color("1"))
)

// view is what is shown in a terminal of so many columns and lines; 0 is without end.
func view(r *watch.Rates, width, height int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %d of %d machines answer  %d proclets, by %s  %s\n", bold.Render("nuos "+r.Rack),
		r.Answered, len(r.Machines), r.Count, r.By, r.At.Format(time.TimeOnly))
	fmt.Fprintf(&text, "%s calls/s  remote p50 %s  p99 %s  %s moves/s  %s/s  %d given up  %s\n\n", number(r.Calls),
		duration(r.Latencies.Quantile(.5)), duration(r.Latencies.Quantile(.99)), number(r.Moves), size(uint64(r.Sent)),
		r.GivenUp, severe(r.Lost > 0).Render(fmt.Sprint(r.Lost, " lost")))
	machines := grid{{"MACHINE", "ADDRESS", "MEMORY", "", "OF", "PROCESSORS", "", "OF", "PROCLETS", "HEAPS", "CALLS/S", "P50", "P99", "OUT/S", "IN/S", "PRESSURE", "ROLE"}}
	for i := range r.Machines {
		machines = append(machines, machineCells(&r.Machines[i]))
	}
	text.WriteString(machines.String())
	proclets := grid{{"PROCLET", "MACHINE", "TYPE", "PROCESSORS", "MEMORY", "USED", "CALLS/S", "MOVES", "CALLED BY"}}
	for i := range r.Proclets {
		proclets = append(proclets, procletCells(&r.Proclets[i]))
	}
	text.WriteString("\n" + proclets.String())
	return clip(strings.TrimRight(text.String(), "\n"), width, height)
}

// clip cuts off what does not fit.
func clip(text string, width, height int) string {
	lines := strings.Split(text, "\n")
	if height > 0 && len(lines) > height {
		lines = lines[:height]
	}
	if width > 0 {
		fits := lipgloss.NewStyle().MaxWidth(width)
		for i, l := range lines {
			lines[i] = fits.Render(l)
		}
	}
	return strings.Join(lines, "\n")
}

// machineCells are a row of the table of machines.
func machineCells(m *watch.MachineRates) []string {
	role := ""
	if m.Directory {
		role = "directory "
	}
	if m.Member.Draining {
		role += "draining "
	}
	name, ip := fmt.Sprint(m.Member.ID), m.Member.IP.String()
	if m.Err != nil {
		return []string{name, ip, "", "", "", "", "", "", "", "", "", "", "", "", "", "", role + hot.Render(m.Err.Error())}
	}
	o := &m.Overview
	processors := []string{"", "-"}
	if m.Worked >= 0 {
		processors = []string{bar(m.Worked / float64(max(o.Processors, 1))), fmt.Sprintf("%.2f", m.Worked)}
	}
	pressure := o.Short.String()
	if pressure == "" {
		pressure = "-"
	}
	return []string{
		name, ip, bar(m.Memory), fmt.Sprintf("%.0f%%", 100*m.Memory), size(m.Total()), processors[0], processors[1], fmt.Sprint(o.Processors),
		fmt.Sprint(o.Proclets), size(o.Mapped), number(m.Calls),
		duration(m.Latencies.Quantile(.5)), duration(m.Latencies.Quantile(.99)), number(m.Out), number(m.In),
		severe(o.Short != migrate.Shortage{}).Render(pressure), role,
	}
}

// procletCells are a row of the table of proclets.
func procletCells(p *watch.ProcletRates) []string {
	where := fmt.Sprint(p.Machine)
	if p.Pinned {
		where += " pinned"
	}
	var callers []string
	for _, c := range p.Callers {
		callers = append(callers, fmt.Sprintf("%d: %.0f%%", c.Machine, 100*c.Share))
	}
	return []string{p.ID, where, p.Type, fmt.Sprintf("%.2f", p.Processors), size(p.Mapped), size(p.Used), number(p.Rate), fmt.Sprint(p.Moves), strings.Join(callers, ", ")}
}

// bar shows a share of something.
func bar(share float64) string {
	const width = 10
	n := int(share*width + .5)
	n = min(max(n, 0), width)
	style := calm
	switch {
	case share >= .9:
		style = hot
	case share >= .7:
		style = warm
	}
	return style.Render(strings.Repeat("#", n)) + faint.Render(strings.Repeat(".", width-n))
}

func severe(so bool) lipgloss.Style {
	if so {
		return hot
	}
	return lipgloss.NewStyle()
}

// number writes a rate in four characters or so; "-" if it is not known.
func number(v float64) string {
	switch {
	case v < 0:
		return "-"
	case v >= 1e6:
		return fmt.Sprintf("%.1fM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.1fk", v/1e3)
	case v >= 10 || v == 0:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// duration writes a latency with two digits; "-" if there was none.
func duration(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= 10*time.Microsecond:
		return d.Round(time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}

// grid is rows of cells. The first row is the heads of the columns.
type grid [][]string

// String writes columns under each other, whatever colours the cells have.
func (t grid) String() string {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			if i < len(row)-1 { // what is last needs no room
				widths[i] = max(widths[i], lipgloss.Width(cell))
			}
		}
	}
	var text strings.Builder
	for n, row := range t {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", max(widths[i]-lipgloss.Width(cell), 0)+2)
			if n == 0 && cell != "" {
				cell = faint.Render(cell)
			}
			line.WriteString(cell + pad)
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return text.String()
}
