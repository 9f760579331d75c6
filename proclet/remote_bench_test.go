package proclet

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/rack"
)

// BenchmarkRemoteCall compares a call that a thread makes of a proclet on another
// machine with the round trip of a frame of the same link: both wait in the same
// way, and take turns. It reports medians.
func BenchmarkRemoteCall(b *testing.B) {
	rts, ports := linked(b)
	th := rts[0].Current()
	ref := mustNew[tally](b, th, Options{On: rts[1].self})
	defer Destroy(th, ref)
	caller := mustNew[meter](b, th, Options{On: rts[0].self})
	defer Destroy(th, caller)
	const echo = rack.ServiceUser
	rts[1].net.HandleInline(echo, func(q rack.Request) { q.Reply(q.Data) })
	raw := newPing(b, ports[0], ports[1])
	ways := []struct {
		name string
		once func(t *Thread) error
	}{
		{"raw", func(*Thread) error { raw.roundTrip(); return nil }},
		{"request", func(*Thread) error {
			_, err := rts[0].net.Call(b.Context(), rts[1].self, echo, make([]byte, 64))
			return err
		}},
		{"call", func(t *Thread) error { _, err := Call(t, ref, (*tally).Add, 1); return err }},
	}
	times := make([][]time.Duration, len(ways))
	c := &comparison{func(t *Thread) {
		const turn = 100
		for done := 0; done < b.N; done += turn {
			for w := range ways {
				for range min(turn, b.N-done) {
					start := time.Now()
					if err := ways[w].once(t); err != nil {
						b.Fatal(err)
					}
					times[w] = append(times[w], time.Since(start))
				}
			}
		}
	}}
	b.ResetTimer()
	if _, err := Call(th, caller, (*meter).Compare, uintptr(unsafe.Pointer(c))); err != nil {
		b.Fatal(err)
	}
	runtime.KeepAlive(c)
	median := func(w int) float64 { slices.Sort(times[w]); return float64(times[w][b.N/2]) }
	for w := range ways {
		b.ReportMetric(median(w), "ns-"+ways[w].name)
	}
	b.ReportMetric(median(2)/median(0), "times-raw")
}

type comparison struct{ run func(t *Thread) }

func (m *meter) Compare(t *Thread, what uintptr) (int, error) {
	(*comparison)(constantAt(what)).run(t)
	return 0, nil
}

// ping bounces a minimal frame between two ports.
type ping struct {
	from  *port.Port
	frame nic.Packet
	back  atomic.Bool
}

func newPing(b *testing.B, from, to *port.Port) *ping {
	frame := func(from, to *port.Port) nic.Packet {
		dst, src := to.MAC(), from.MAC()
		return nic.Packet{Head: append(slices.Concat(dst[:], src[:], []byte{0x88, 0xb5}), make([]byte, 46)...)}
	}
	match := func(f []byte) bool { return len(f) == 60 && f[12] == 0x88 && f[13] == 0xb5 }
	p := &ping{from: from, frame: frame(from, to)}
	answer := frame(to, from)
	b.Cleanup(to.Claim(match, func([]byte) { to.Send([]nic.Packet{answer}) }))
	b.Cleanup(from.Claim(match, func([]byte) { p.back.Store(true) }))
	return p
}

// roundTrip polls as a caller of the rack does.
func (p *ping) roundTrip() {
	p.back.Store(false)
	p.from.Send([]nic.Packet{p.frame})
	for i := 0; !p.back.Load(); i++ {
		if p.from.Poll() == 0 && i%8 == 7 {
			runtime.Gosched()
		}
	}
}

// linked joins two machines to a rack by nothing but a segment in memory.
func linked(b *testing.B) (rts []*Runtime, ports []*port.Port) {
	rts = realRack(b, 2, nictest.Faults{})
	for _, rt := range rts {
		ports = append(ports, rt.net.(*rack.Rack).Port())
	}
	return rts, ports
}
