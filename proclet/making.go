package proclet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"nuos/mm"
	"nuos/rack"
)

// making is a proclet that is being made, here or on another machine. The one who
// wants it leases its addresses and gives it its ID. So it is made once, however
// often a machine is asked for it, and it can be found wherever it is, if the machine
// that has made it dies before that could say so.
type making struct {
	rt     *Runtime
	id     ID
	heap   mm.Range
	kind   stateKind
	pinned bool
}

// createOn makes a proclet on machine m. An error says that there is none, unless it
// is ErrMaybeExecuted: then it is found out in the background, and undone.
func (rt *Runtime) createOn(m rack.MachineID, kind stateKind, capacity uint64, pinned bool) (ID, error) {
	heap, err := rt.net.LeaseHeap(capacity)
	if err != nil {
		return ID{}, err
	}
	c := &making{rt, rt.newID(heap.Base), heap, kind, pinned}
	if m == rt.self {
		err = c.here()
	} else {
		err = c.on(m)
	}
	switch {
	case err == nil:
		return c.id, nil
	case errors.Is(err, ErrMaybeExecuted):
		c.undo(m)
	default:
		rt.net.ReturnHeap(heap)
	}
	return ID{}, err
}

// on asks machine m until it is known whether it has made the proclet, or patience
// ends.
func (c *making) on(m rack.MachineID) error {
	pause, since := time.Millisecond, time.Now()
	for {
		err := c.ask(m)
		if !errors.Is(err, rack.ErrUnreachable) || !errors.Is(err, ErrMaybeExecuted) || time.Since(since) > patience {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// ask asks machine m once.
func (c *making) ask(m rack.MachineID) error {
	b := appendID([]byte{messageCreate}, c.id)
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(offsetOf(c.kind))), c.heap.Size)
	answer, err := c.rt.net.Call(context.Background(), m, rack.ServiceProclet, appendFlag(b, c.pinned))
	switch {
	case err == nil:
		return c.answered(m, answer)
	case !errors.Is(err, rack.ErrMaybeExecuted):
		return err
	case errors.Is(err, rack.ErrLost):
		// It died with the machine, unless it had left before.
		_, err = c.rt.ask(c.id, append(appendID([]byte{messageRelease}, c.id), 0))
		if errors.Is(err, ErrNoProclet) || errors.Is(err, ErrLost) {
			return ErrLost
		}
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrMaybeExecuted, err)
	}
	return err
}

// answered is what m's answer says.
func (c *making) answered(m rack.MachineID, answer []byte) error {
	d := &decoder{answer}
	tag, err := d.take(1)
	if err != nil {
		return err
	}
	at := rack.Location{Machine: m}
	switch tag[0] {
	case answerDone:
	case answerMoved: // it has been made, and has moved since
		if at, err = d.location(); err != nil {
			return err
		}
	case answerFailed:
		return d.failure()
	default:
		return fmt.Errorf("%w: answer %d", errMalformed, tag[0])
	}
	c.rt.net.Learn(c.id.Gen, at)
	return nil
}

// undo finds out, in the background, whether m has made the proclet, and gives it
// back then.
func (c *making) undo(m rack.MachineID) {
	c.rt.releases.began()
	go func() {
		defer c.rt.releases.ended()
		for {
			err := c.ask(m)
			switch {
			case err == nil:
				c.rt.giveBack(handle{id: c.id}, 1)
				return
			case !errors.Is(err, ErrMaybeExecuted):
				c.rt.net.ReturnHeap(c.heap)
				return
			case errors.Is(err, rack.ErrFenced), errors.Is(err, rack.ErrClosed):
				return
			}
			time.Sleep(retryAfter)
		}
	}()
}

// answerCreate makes a proclet for another machine, unless it has done so before.
func (rt *Runtime) answerCreate(from rack.MachineID, d *decoder) ([]byte, error) {
	id, err := d.id()
	if err != nil {
		return nil, err
	}
	kindAt, err := d.uint()
	if err != nil {
		return nil, err
	}
	capacity, err := d.uint()
	if err != nil {
		return nil, err
	}
	pinned, err := d.flag()
	if err != nil {
		return nil, err
	}
	if makerOf(id) != from || from == rt.self {
		return nil, fmt.Errorf("%w: %v made for machine %d", errMalformed, id, from)
	}
	kind, err := implementation[stateKind](offset(kindAt), kindOf[struct{}]{})
	if err != nil {
		return nil, err
	}
	if err := checkState(kind.reflectType()); err != nil {
		return nil, err
	}
	rt.making.Lock()
	defer rt.making.Unlock()
	if answer := rt.wasMade(id); answer != nil {
		return answer, nil
	}
	for _, m := range rt.net.Members() {
		if m.ID == rt.self && m.Draining {
			return nil, rack.ErrDraining
		}
	}
	c := &making{rt, id, mm.Range{Base: mm.Virt(id.Addr), Size: capacity}, kind, pinned}
	if err := c.here(); err != nil {
		return nil, err
	}
	return []byte{answerDone}, nil
}

// wasMade is the answer for a proclet that is or was here; nil if this machine does not
// know it.
func (rt *Runtime) wasMade(id ID) []byte {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.find(id) != nil || rt.arriving[id] != nil {
		return []byte{answerDone}
	}
	if at, left := rt.departed.at[id]; left {
		return movedTo(answerMoved, at)
	}
	return nil
}

// clearPatience is how long who makes a proclet waits for one that had its addresses before,
// has left, and has ended elsewhere, before this machine has heard of the former or has
// given its memory back.
const clearPatience = 10 * time.Second

// createHeap makes the proclet's heap.
func (c *making) createHeap() (*mm.Heap, error) {
	h, err := mm.CreateHeap(c.heap, c.id.Gen, c.rt.build)
	if !errors.Is(err, mm.ErrMapped) {
		return h, err
	}
	patience := time.NewTimer(clearPatience)
	defer patience.Stop()
	for {
		cleared := c.rt.cleared.next()
		if h, err := mm.CreateHeap(c.heap, c.id.Gen, c.rt.build); !errors.Is(err, mm.ErrMapped) {
			return h, err
		}
		select {
		case <-cleared:
		case <-patience.C:
			return nil, err
		}
	}
}

// here makes the proclet on this machine.
func (c *making) here() (err error) {
	h, err := c.createHeap()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			h.Destroy()
		}
	}()
	p, err := h.Alloc(uint64(unsafe.Sizeof(head{})))
	if err != nil {
		return err
	}
	hd := (*head)(p)
	if hd.state, err = h.Alloc(uint64(c.kind.reflectType().Size())); err != nil {
		return fmt.Errorf("state type %v: %w", c.kind.reflectType(), err)
	}
	hd.kind, hd.pinned = offsetOf(c.kind), c.pinned
	hd.refs.n.Store(1) // of the one who wants it
	h.SetRoot(p)
	c.rt.newResident(c.id, h, c.kind).settle()
	c.rt.net.Publish(c.id.Gen, rack.Location{Machine: c.rt.self})
	return nil
}

// makerOf returns the machine that wanted a proclet, and leased its addresses.
func makerOf(id ID) rack.MachineID { return rack.MachineID(id.Gen >> 32) }
