package proclet

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nuos/drivers/nic"
	"nuos/drivers/nic/nictest"
	"nuos/drivers/nic/port"
	"nuos/rack"
)

// realRack joins n machines of this process to a rack on a segment and serves
// proclets on all of them.
func realRack(t testing.TB, n int, faults nictest.Faults) []*Runtime {
	t.Helper()
	seg := nictest.New(t, nictest.Options{})
	seg.SetFaults(faults)
	return rackOn(t, n, func() nic.Device { return seg.Attach() })
}

// rackOn is realRack on cards of any kind.
func rackOn(t testing.TB, n int, card func() nic.Device) []*Runtime {
	t.Helper()
	racks := make([]*rack.Rack, n)
	var wg sync.WaitGroup
	for i := range racks {
		p := port.New(card(), netip.Prefix{})
		t.Cleanup(func() { p.Close() })
		wg.Go(func() {
			var console strings.Builder
			r, err := rack.Join(rack.Config{
				Name: "proclets", Key: "key", Machines: n, Port: p, Build: "test", Console: &console,
				OnFenced: func() {},
			})
			if err != nil {
				t.Errorf("machine %d: %v\n%s", i, err, console.String())
			}
			racks[i] = r
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	var rts []*Runtime
	for _, r := range racks {
		t.Cleanup(func() { r.Close() })
		rts = append(rts, serve(r, 42))
	}
	return rts
}

// The same over real messages, some of which are lost, repeated and overtake
// each other.
func TestRackCallsAndMoves(t *testing.T) {
	rts := realRack(t, 3, nictest.Faults{Loss: .02, Duplicate: .02, Reorder: .02})
	var refs []Ref[counter]
	for range 6 {
		refs = append(refs, mustNew[counter](t, rts[0].Current(), Options{Capacity: 256 << 10}))
	}
	for _, rt := range rts {
		if got := len(rt.Proclets()); got != 2 {
			t.Errorf("machine %d has %d proclets of 6", rt.self, got)
		}
	}
	if err := Bind(rts[0].Current(), "first", refs[0]); err != nil {
		t.Fatal(err)
	}
	if got, err := Lookup[counter](rts[2].Current(), "first"); err != nil || got != refs[0] {
		t.Errorf("Lookup = %v, %v", got.ID(), err)
	}

	var calls atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			key := fmt.Sprint("caller", i)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				got, err := Call(rts[i%3].Current(), refs[n%6], (*counter).Hit, key)
				if want := int64(n/6 + 1); err != nil || got != want {
					t.Errorf("%s: call %d = %d, %v, want %d", key, n, got, err, want)
					return
				}
				calls.Add(1)
			}
		})
	}
	for i := range 40 {
		target := calls.Load() + 10
		waitFor(t, "calls", func() bool { return calls.Load() >= target || t.Failed() })
		id := refs[i%6].ID()
		from := ownerOf(t, nil, id)
		to := rts[i%3]
		if to == from {
			to = rts[(i+1)%3]
		}
		move(t, from, to, id)
	}
	close(stop)
	wg.Wait()

	// What nuos ps sees.
	moves, hits := uint64(0), uint64(0)
	for _, rt := range rts {
		b, err := rts[0].net.Call(t.Context(), rt.self, rack.ServiceProcletAdmin, nil)
		if err != nil {
			t.Fatal(err)
		}
		var s Status
		if err := json.Unmarshal(b, &s); err != nil || s.Machine != rt.self {
			t.Fatalf("%s: %v", b, err)
		}
		for _, p := range s.Proclets {
			moves += p.Moves
			hits += p.Calls
			if p.Type != "proclet.counter" || p.Used == 0 || p.Mapped < p.Used || p.Capacity != 256<<10 {
				t.Errorf("%+v", p)
			}
		}
	}
	if moves != 40 || hits < uint64(calls.Load()) {
		t.Errorf("%d moves of 40, %d calls of %d", moves, hits, calls.Load())
	}
	for _, ref := range refs {
		if err := Destroy(rts[1].Current(), ref); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkRackCall compares a call of a method on another machine with a bare
// request over the same transport.
func BenchmarkRackCall(b *testing.B) {
	rts := realRack(b, 2, nictest.Faults{})
	th := rts[0].Current()
	ref := mustNew[tally](b, th, Options{On: rts[1].self})
	defer Destroy(th, ref)
	if _, err := Call(th, ref, (*tally).Add, 1); err != nil {
		b.Fatal(err)
	}
	const echo = rack.ServiceUser
	rts[1].net.Handle(echo, func(q rack.Request) { q.Reply(q.Data) })
	b.ResetTimer()
	ratio(b, func(int) {
		if _, err := rts[0].net.Call(b.Context(), rts[1].self, echo, make([]byte, 64)); err != nil {
			b.Fatal(err)
		}
	}, func(int) {
		if _, err := Call(th, ref, (*tally).Add, 1); err != nil {
			b.Fatal(err)
		}
	})
}
