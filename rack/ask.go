package rack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What machines ask the directory, and how they find it.

// directoryMessage is a request of ServiceDirectory.
type directoryMessage struct {
	Op        directoryOp
	Member    *MemberRecord `json:",omitempty"` // opJoin
	Build     string        `json:",omitempty"` // opJoin
	ID        MachineID     `json:",omitempty"` // of whom the command is
	Size      uint64        `json:",omitempty"` // opLease
	Proclet   uint64        `json:",omitempty"` // opLocate
	Version   uint64        `json:",omitempty"` // opLocate: of the view that the asker has
	Name      string        `json:",omitempty"` // opBind, opResolve
	Value     []byte        `json:",omitempty"` // opBind
	Locations []byte        `json:",omitempty"` // opPublish
}

type directoryOp string

const (
	opJoin    directoryOp = "join"
	opDrain   directoryOp = "drain"
	opLeave   directoryOp = "leave"
	opLease   directoryOp = "lease"
	opLocate  directoryOp = "locate"
	opPublish directoryOp = "publish"
	opBind    directoryOp = "bind"
	opResolve directoryOp = "resolve"

	// The directory's own.
	opLead    directoryOp = "lead"    // it has been elected
	opDead    directoryOp = "dead"    // the machine is
	opLeaving directoryOp = "leaving" // the machine is about to leave
	opSettled directoryOp = "settled" // all who vote know who votes
)

type directoryAnswer struct {
	View     *View    `json:",omitempty"` // opJoin; opLocate: if it is newer than the asker's
	Lease    lease    `json:",omitzero"`
	Location Location `json:",omitzero"`
	Value    []byte   `json:",omitempty"`
	Found    bool     `json:",omitempty"`
}

func callDirectory(ctx context.Context, s *session, m *directoryMessage) (*directoryAnswer, error) {
	return callJSON[directoryAnswer](ctx, s, ServiceDirectory, m)
}

// callJSON calls a service whose messages are JSON: those of the rack itself,
// which are rare.
func callJSON[A any](ctx context.Context, s *session, service Service, m any) (*A, error) {
	req, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	reply, err := s.call(ctx, service, req)
	if err != nil {
		return nil, err
	}
	a := new(A)
	return a, json.Unmarshal(reply, a)
}

func replyJSON(q Request, answer any) {
	b, err := json.Marshal(answer)
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(b)
}

// askDirectory asks whoever is the directory, and the next one if it dies. All
// its commands may be repeated. It gives up with ErrNoDirectory.
func (r *Rack) askDirectory(ctx context.Context, m *directoryMessage) (*directoryAnswer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 4*r.config.Dead, ErrNoDirectory)
	defer cancel()
	for {
		a, err := r.askOnce(ctx, m)
		var remote *RemoteError
		if err == nil || errors.As(err, &remote) && !errors.Is(err, ErrNoDirectory) && !errors.Is(err, ErrNoService) {
			return a, err
		}
		if cause := context.Cause(r.ctx); cause != nil {
			return nil, cause
		}
		if ctx.Err() != nil {
			if cause := context.Cause(ctx); cause == ErrNoDirectory {
				return nil, fmt.Errorf("%w: %v", ErrNoDirectory, err)
			}
			return nil, ctx.Err()
		}
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		timer := time.NewTimer(r.config.Dead / (4 * ticksToDeath))
		select {
		case <-timer.C:
		case <-changed:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func (r *Rack) askOnce(ctx context.Context, m *directoryMessage) (*directoryAnswer, error) {
	if m.Op == opLeave && r.hasLeft() {
		return &directoryAnswer{}, nil // whoever had it decided need not be there any more
	}
	r.asked.Add(1)
	r.mu.Lock()
	d, reign := r.view.member(r.view.Directory), r.reign
	r.mu.Unlock()
	if d == nil {
		return nil, ErrNoDirectory
	}
	// Who waits for a directory that has died asks the next one. But a machine
	// that leaves has said where it waits for the answer.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if m.Op != opLeave {
		defer context.AfterFunc(reign, cancel)()
	}
	if d.Nonce == r.e.nonce {
		return r.command(ctx, d.ID, m)
	}
	s := r.e.session(d.Nonce, d.MAC, d.IP)
	if s == nil {
		return nil, ErrNoDirectory
	}
	return callDirectory(ctx, s, m)
}
