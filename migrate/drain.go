package migrate

import (
	"context"
	"time"

	"nuos/proclet"
	"nuos/rack"
)

// Drained returns a channel that is closed when the machine has been asked to
// drain and nothing lives on it any more: it may leave the rack. Pinned proclets
// have to be destroyed by whoever pinned them.
func (m *Migrator) Drained() <-chan struct{} { return m.drained }

// restless is how long a machine that drains waits before it looks again for
// what is left: proclets that were busy, or refused, or are pinned.
const restless = 20 * time.Millisecond

// OthersDrain says that whoever calls it moves everything away when the machine drains, where it fits
// best. Otherwise it goes to the other machines in turn.
func (m *Migrator) OthersDrain() { m.placed.Store(true) }

// drain moves everything that lives here to the other machines.
func (m *Migrator) drain(r *rack.Rack, rt *proclet.Runtime) {
	m.log("draining: %d proclets have to move", len(rt.Proclets()))
	for turn := 0; ; time.Sleep(restless) {
		left := rt.Proclets()
		if len(left) == 0 {
			break
		}
		if m.placed.Load() {
			continue
		}
		for _, info := range left {
			id, err := proclet.ParseID(info.ID)
			to, ok := successor(r, &turn)
			if err != nil || !ok || info.Pinned {
				continue
			}
			m.Move(context.Background(), id, to) // what could not move is looked at again
		}
	}
	m.log("drained")
	close(m.drained)
}

// successor picks the machines that take something, in turn.
func successor(r *rack.Rack, turn *int) (rack.MachineID, bool) {
	var candidates []rack.MachineID
	for _, member := range r.Members() {
		if member.ID != r.Self().ID && !member.Draining {
			candidates = append(candidates, member.ID)
		}
	}
	if len(candidates) == 0 {
		return 0, false
	}
	*turn++
	return candidates[*turn%len(candidates)], true
}

// AskDrain has a machine drain. It returns when the machine takes nothing new;
// what lives there moves afterwards. r may be an observer.
func AskDrain(ctx context.Context, r *rack.Rack, machine rack.MachineID) error {
	_, err := r.Call(ctx, machine, rack.ServiceDrain, nil)
	return err
}
