package balance

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"nuos/rack"
)

// Event is a decision, or what has come of one.
type Event struct {
	Seq     uint64         `json:"seq"` // counts the events of a machine
	At      time.Time      `json:"at"`  // by the machine's clock
	Machine rack.MachineID `json:"machine"`
	What    string         `json:"what"` // "pressure", "grant", "refusal", "order", "batch", "moved"
	Text    string         `json:"text"` // with the reason, and the figures it is based on
}

func (e Event) String() string {
	return fmt.Sprintf("%s machine %d %s: %s", e.At.Format("15:04:05.000000"), e.Machine, e.What, e.Text)
}

// rememberedEvents is how many events a machine keeps.
const rememberedEvents = 1024

// eventLog keeps the last events.
type eventLog struct {
	self rack.MachineID

	mu   sync.Mutex
	last []Event // a ring once it is full
	n    uint64  // so far
}

func (l *eventLog) add(what, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	e := Event{Seq: l.n, At: time.Now().Round(0), Machine: l.self, What: what, Text: fmt.Sprintf(format, args...)}
	if len(l.last) < rememberedEvents {
		l.last = append(l.last, e)
		return
	}
	l.last[(l.n-1)%rememberedEvents] = e
}

// maxEvents is how many events are told at once.
const maxEvents = 256

// after returns the oldest events, of those that are kept, with a higher number.
func (l *eventLog) after(seq uint64) (all []Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := max(seq, l.n-uint64(len(l.last)))
	for n := first; n < l.n && len(all) < maxEvents; n++ {
		all = append(all, l.last[n%rememberedEvents])
	}
	return all
}

// eventRequest is what rack.ServiceEvents is asked, as JSON.
type eventRequest struct {
	After uint64 `json:"after"`
}

func (l *eventLog) serve(q rack.Request) {
	var r eventRequest
	if err := json.Unmarshal(q.Data, &r); err != nil {
		q.Fail(fmt.Errorf("%w: %v", ErrMessage, err))
		return
	}
	b, err := json.Marshal(l.after(r.After))
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(b)
}

// AskEvents returns the events of a machine that have a higher number than after, the oldest first;
// some hundred at most. r may be an observer.
func AskEvents(ctx context.Context, r *rack.Rack, machine rack.MachineID, after uint64) ([]Event, error) {
	var all []Event
	return all, ask(ctx, r, machine, rack.ServiceEvents, eventRequest{after}, &all)
}

// caller makes calls of services; see rack.Rack.
type caller interface {
	Call(ctx context.Context, to rack.MachineID, s rack.Service, req []byte) ([]byte, error)
}

// ask sends a request as JSON and reads the answer.
func ask(ctx context.Context, r caller, machine rack.MachineID, s rack.Service, request, answer any) error {
	b, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if b, err = r.Call(ctx, machine, s, b); err != nil {
		return err
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("%w: %v", ErrMessage, err)
	}
	return nil
}
