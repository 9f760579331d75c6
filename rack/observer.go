package rack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"
)

// An observer looks at a rack without being a member: it learns the view from
// a member and asks for it again while it is there.

// observerPatience is how long an observer looks for the rack.
const observerPatience = 10 * time.Second

// observe finds the rack and learns who is a member.
func (r *Rack) observe(ctx context.Context) error {
	r.e.role.Store(uint32(roleObserver))
	r.e.id.Store(uint32(observerBit | MachineID(rand.Uint32()&^uint32(observerBit))))
	ctx, cancel := context.WithTimeout(ctx, observerPatience)
	defer cancel()
	for ctx.Err() == nil {
		r.sayHello()
		r.mu.Lock()
		hint := r.hint
		r.mu.Unlock()
		if hint.member != 0 && r.look(ctx, hint.member, hint.memberMAC) == nil {
			r.spawn(r.keepLooking)
			return nil
		}
		r.pause(helloFast)
	}
	return fmt.Errorf("%w: nobody of rack %q with this key answers", ErrUnreachable, r.config.Name)
}

// look learns the view from a member.
func (r *Rack) look(ctx context.Context, nonce uint64, mac macAddr) error {
	s := r.e.session(nonce, mac, netip.Addr{})
	if s == nil {
		return ErrLost
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Dead)
	defer cancel()
	st, err := callJSON[Status](ctx, s, ServiceStatus, nil)
	if err == nil {
		r.learn(&st.View)
	}
	return err
}

// keepLooking learns of changes, from whichever member answers.
func (r *Rack) keepLooking() {
	for r.pause(time.Second) {
		r.mu.Lock()
		v := r.view
		r.mu.Unlock()
		for i := range v.Members {
			m := &v.Members[(i+int(v.Version))%len(v.Members)]
			// One that has gone meanwhile does not answer: the next one knows.
			ctx, cancel := context.WithTimeout(r.ctx, r.config.Dead/ticksToDeath)
			err := r.look(ctx, m.Nonce, m.MAC)
			cancel()
			if err == nil {
				break
			}
		}
	}
}
