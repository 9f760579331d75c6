package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// order is what ServiceMigrateAdmin is asked, as JSON: move a proclet, or, with
// none named, tell the timeline, the overview or the statistics.
type order struct {
	Proclet  string         `json:"proclet,omitempty"`
	To       rack.MachineID `json:"to,omitempty"`
	Timeline bool           `json:"timeline,omitempty"`
	Overview bool           `json:"overview,omitempty"`
	Top      int            `json:"top,omitempty"` // how many proclets in it
	By       By             `json:"by,omitempty"`
}

// outcome is its answer. Error is a text because the caller may be of another
// build; Kind lets it tell what stood in the way.
type outcome struct {
	Bytes    uint64        `json:"bytes,omitempty"`
	Pause    time.Duration `json:"pause,omitempty"`
	Stats    *Stats        `json:"stats,omitempty"`
	Timeline *Timeline     `json:"timeline,omitempty"`
	Overview *Overview     `json:"overview,omitempty"`
	Error    string        `json:"error,omitempty"`
	Kind     string        `json:"kind,omitempty"`
}

// kinds are the errors that keep their identity on the way to an observer.
var kinds = map[string]error{
	"busy": proclet.ErrBusy, "held": proclet.ErrHeld, "pinned": proclet.ErrPinned, "gone": proclet.ErrNoProclet,
	"same": ErrSameMachine, "machine": ErrNoMachine, "refused": ErrRefused, "transfer": ErrTransfer, "lost": ErrLost,
}

func (m *Migrator) administer(q rack.Request) {
	var o order
	var out outcome
	if err := json.Unmarshal(q.Data, &o); err != nil {
		q.Fail(fmt.Errorf("%w: %v", ErrMessage, err))
		return
	}
	switch {
	case o.Proclet != "":
		out = m.obey(o)
	case o.Timeline:
		out.Timeline = &Timeline{Machine: m.network.Self().ID, Now: time.Now().Round(0), Spans: m.took.last.list()}
	case o.Overview && m.overview != nil:
		overview := m.Overview(o.Top, o.By)
		out.Overview = &overview
	default:
		stats := m.Stats()
		out.Stats = &stats
	}
	reply, err := json.Marshal(out)
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(reply)
}

func (m *Migrator) obey(o order) outcome {
	id, err := proclet.ParseID(o.Proclet)
	if err != nil {
		return outcome{Error: err.Error()}
	}
	report, err := m.Move(context.Background(), id, o.To)
	out := outcome{Bytes: report.Bytes, Pause: report.Pause}
	if err != nil {
		out.Error = err.Error()
		for kind, e := range kinds {
			if errors.Is(err, e) {
				out.Kind = kind
			}
		}
	}
	return out
}

// Ask has machine from move a proclet that lives there. r may be an observer.
// The error is one of Move's, or says that the machine could not be asked.
func Ask(ctx context.Context, r *rack.Rack, from rack.MachineID, id proclet.ID, to rack.MachineID) (Report, error) {
	out, err := ask(ctx, r, from, order{Proclet: id.String(), To: to})
	if err != nil {
		return Report{}, err
	}
	return Report{ID: id, From: from, To: to, Bytes: out.Bytes, Pause: out.Pause}, nil
}

// AskStats returns the statistics of a machine. r may be an observer.
func AskStats(ctx context.Context, r *rack.Rack, machine rack.MachineID) (Stats, error) {
	out, err := ask(ctx, r, machine, order{})
	if err != nil {
		return Stats{}, err
	}
	if out.Stats == nil {
		return Stats{}, ErrMessage
	}
	return *out.Stats, nil
}

func ask(ctx context.Context, r *rack.Rack, machine rack.MachineID, o order) (outcome, error) {
	var out outcome
	request, err := json.Marshal(o)
	if err != nil {
		return out, err
	}
	reply, err := r.Call(ctx, machine, rack.ServiceMigrateAdmin, request)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(reply, &out); err != nil {
		return out, fmt.Errorf("%w: %v", ErrMessage, err)
	}
	if out.Error != "" {
		return out, &askError{out.Error, kinds[out.Kind]}
	}
	return out, nil
}

// askError is an error of Move that came from another machine.
type askError struct {
	text string
	kind error // one of kinds, or nil
}

func (e *askError) Error() string { return e.text }
func (e *askError) Unwrap() error { return e.kind }
