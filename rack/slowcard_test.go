package rack

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/mm"
)

// slowCard is a card that reads what it is given to send only a while later,
// as a real one may, and says so.
type slowCard struct {
	*nictest.Device
	delay time.Duration

	mu           sync.Mutex
	queued, done uint64
	reading      int // packets whose memory it still needs
}

func (c *slowCard) Send(batch []nic.Packet) int {
	for _, p := range batch {
		late := nic.Packet{Head: append([]byte(nil), p.Head...), Gather: append([]mm.Range(nil), p.Gather...)}
		c.mu.Lock()
		c.queued++
		c.reading++
		c.mu.Unlock()
		time.AfterFunc(c.delay, func() {
			c.Device.Send([]nic.Packet{late})
			c.mu.Lock()
			defer c.mu.Unlock()
			c.done++
			c.reading--
		})
	}
	return len(batch)
}

func (c *slowCard) Completed() (queued, done uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued, c.done
}

// TestSourceIsKeptUntilRead releases the source as soon as SendBulk returns,
// however it ends, and fails if the card reads it after that.
func TestSourceIsKeptUntilRead(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			a, b, seg := pair(t, nictest.Options{}, nictest.Faults{Duplicate: .2, Loss: .05})
			card := &slowCard{Device: seg.Attach(), delay: 2 * time.Millisecond}
			p := port.New(card, netip.Prefix{})
			e := newEndpoint(p, newAuthenticator("test", "key"), "build", 12)
			e.admit, e.control = a.admit, a.control
			e.listen()
			t.Cleanup(func() { e.close(ErrClosed); p.Close() })

			src := noise(1<<20, 1)
			want := bytes.Clone(src)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if cancelled {
				time.AfterFunc(7*time.Millisecond, cancel)
			}
			got := make([]byte, len(src))
			errs := make(chan error, 1)
			go func() { errs <- b.to(e).receiveBulk(t.Context(), 9, []mm.Range{rangeOf(got)}) }()
			err := e.to(b).sendBulk(ctx, 9, []mm.Range{rangeOf(src)})
			if (err != nil) != cancelled {
				t.Errorf("SendBulk = %v", err)
			}
			card.mu.Lock()
			// Control frames have no gathered memory; they may be on their way.
			late := card.done < card.queued && card.reading > 2
			card.mu.Unlock()
			if late {
				t.Error("SendBulk has returned while the card still reads")
			}
			for i := range src {
				src[i] = 0xdb // it is somebody else's now
			}
			if err := <-errs; (err != nil) != cancelled {
				t.Errorf("ReceiveBulk = %v", err)
			}
			if !cancelled && !bytes.Equal(got, want) {
				t.Error("the bytes arrived altered")
			}
		})
	}
}
