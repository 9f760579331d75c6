package port

import (
	"runtime"
	"time"

	"nuos/drivers/nic"
)

// pollsPerYield is how often the pump looks at the card in vain before it lets others run.
const pollsPerYield = 4

// pump takes frames from the card while nobody else does.
func (p *Port) pump(idle idleMode) {
	defer close(p.pumped)
	spin := newSpinner(idle)
	polls := uint(0)
	for !p.closed.Load() {
		if p.Poll() > 0 {
			spin.hit(p.claims.rested.Load())
			// Those whom the frames have woken go first: with one processor
			// they would otherwise wait until the pump finds nothing.
			runtime.Gosched()
			continue
		}
		if spin.again() {
			// To ask whether somebody else wants the processor takes several times as long as to
			// look at the card, for which a frame would have to wait.
			if polls++; polls%pollsPerYield == 0 {
				runtime.Gosched()
			}
			continue
		}
		if !p.arm() {
			p.parks.Store(false)
			continue
		}
		since := time.Now()
		if err := p.dev.Wait(); err == nic.ErrClosed {
			return
		} else if err != nil {
			// Without its events the machine would be deaf, and silent
			// about it.
			panic("port: cannot wait for the NIC: " + err.Error())
		}
		p.parks.Store(false)
		spin.parked(time.Since(since))
	}
}

// arm waits for the receiving lock, unlike Poll: to find it held and to park
// would leave nobody to see the frames that arrive after its holder has looked.
func (p *Port) arm() bool {
	p.rx.mu.Lock()
	defer p.rx.mu.Unlock()
	p.parks.Store(true)
	p.claims.before() // after that nobody counts on the pump
	return !p.closed.Load() && p.dev.Arm()
}
