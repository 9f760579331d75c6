package tor

import "sync/atomic"

// Port is one socket of the switch and the link to its peer.
type Port struct {
	sw    *Switch
	id    int
	name  string
	group atomic.Int32 // partition; 0: none
	count counters

	ingress, egress link

	out outbox
}

func newPort(sw *Switch, id int, name string) *Port {
	p := &Port{sw: sw, id: id, name: name}
	p.ingress.init(sw.seed, id, inward)
	p.egress.init(sw.seed, id, outward)
	p.out.start()
	return p
}

// ID numbers the ports of a switch from 0 in the order they were added.
func (p *Port) ID() int { return p.id }

// Name returns what AddPort was given.
func (p *Port) Name() string { return p.name }

// Plugged reports whether a peer is connected.
func (p *Port) Plugged() bool {
	return p.out.plugged()
}

// Inject sends bytes, which may be no frame at all, to the peer of p as they
// are, past all faults.
func (p *Port) Inject(frame []byte) {
	var b batch
	p.count.Injected.Add(1)
	p.transmit(&b, frame)
	b.flush()
}

// batch remembers at which ports frames were queued, so that each is flushed
// once for many frames.
type batch struct{ touched []*Port }

func (b *batch) flush() {
	for i, p := range b.touched {
		p.out.flush()
		b.touched[i] = nil
	}
	b.touched = b.touched[:0]
}

func (b *batch) touch(p *Port) {
	for _, q := range b.touched {
		if q == p {
			return
		}
	}
	b.touched = append(b.touched, p)
}

// receive takes a frame from the peer. The bytes are the caller's again when
// it returns.
func (p *Port) receive(b *batch, frame []byte) {
	if len(frame) < headerLen || len(frame) > MaxFrame {
		p.count.Bad.Add(1)
		return
	}
	p.count.RxFrames.Add(1)
	p.count.RxBytes.Add(uint64(len(frame)))
	p.sw.record(p, true, frame)
	frame, copies := p.ingress.pass(p.sw, p, frame)
	for range copies {
		p.sw.route(b, p, frame)
	}
}

// transmit queues a frame for the peer.
func (p *Port) transmit(b *batch, frame []byte) {
	if !p.out.put(frame) {
		p.count.Dropped.Add(1)
		return
	}
	p.count.TxFrames.Add(1)
	p.count.TxBytes.Add(uint64(len(frame)))
	p.sw.record(p, false, frame)
	b.touch(p)
}
