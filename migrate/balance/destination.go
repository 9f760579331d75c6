package balance

import (
	"fmt"
	"time"

	"nuos/proclet"
	"nuos/rack"
	"nuos/rack/placement"
)

// admit says why a proclet is not taken in. It is asked for every proclet that is sent here, by
// whomever.
func (b *Balancer) admit(d proclet.Description) error {
	x := b.sample()
	if low := b.policy.Watermark(x.Total); x.Free < low+d.Mapped {
		return fmt.Errorf("%w for %s: %s free, and the watermark is %s", ErrPressure, placement.Size(d.Mapped), placement.Size(x.Free), placement.Size(low))
	}
	return nil
}

// offered answers whether this machine takes what another one is about to send.
func (b *Balancer) offered(from rack.MachineID, m message) error {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.sensor.State()
	switch {
	case b.source.Giving():
		return fmt.Errorf("%w: machine %d gives something itself", ErrPressure, b.self())
	case st.Memory:
		return fmt.Errorf("%w: %s free, and the watermark is %s", ErrPressure, placement.Size(st.Free), placement.Size(st.Watermark))
	case st.Processor && m.Grant.Kind != placement.Memory && m.Grant.Kind != placement.Draining:
		return fmt.Errorf("%w: a load of %.2f on %d processors", ErrPressure, st.Load, st.Processors)
	}
	b.takes[from] = now + offerLife
	if m.Bytes == 0 {
		delete(b.takes, from) // that was all
	}
	return nil
}

// offerLife is for how long a machine gives nothing after it has taken an offer, unless the source says
// that it is over.
const offerLife = 100 * time.Millisecond

// taking reports whether an offer holds. Called with mu held.
func (b *Balancer) taking(now time.Duration) bool {
	for from, until := range b.takes {
		if now >= until {
			delete(b.takes, from)
		}
	}
	return len(b.takes) > 0
}
