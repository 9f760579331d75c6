package main

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"nuos/migrate"
	"nuos/migrate/watch"
)

// topModel is the live view: a state that messages change, as bubbletea has it. A sample is
// asked for when the interval after the last one is over, so that there is one request to a
// machine at a time.
type topModel struct {
	ctx      context.Context
	source   topSource
	interval time.Duration
	by       migrate.By

	last          watch.Sample
	rates         *watch.Rates // nil: nothing has been heard
	width, height int
}

// topLook says that it is time to look again.
type topLook struct{}

func (m *topModel) Init() tea.Cmd { return m.look }

// look takes a sample. It runs beside the rest.
func (m *topModel) look() tea.Msg { return m.source(m.ctx, m.by) }

func (m *topModel) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyMsg:
		switch msg.String() {
		case "q", "esc", "ctrl+c":
			return m, tea.Quit
		case "l":
			m.order(migrate.ByLoad)
		case "m":
			m.order(migrate.ByMemory)
		case "c":
			m.order(migrate.ByCalls)
		}
	case topLook:
		return m, m.look
	case watch.Sample:
		m.rates = watch.Between(m.last, msg, m.by)
		m.last = msg
		return m, tea.Tick(m.interval, func(time.Time) tea.Msg { return topLook{} })
	}
	return m, nil
}

// order changes the order of the proclets that are known. The next look brings those that
// come first in it.
func (m *topModel) order(by migrate.By) {
	m.by = by
	if m.rates != nil {
		m.rates.Arrange(by)
	}
}

func (m *topModel) View() string {
	if m.rates == nil {
		return "asking the machines..."
	}
	return view(m.rates, m.width, m.height)
}
