package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/qemu"
	"nuos/rack"
)

// TestMachinesComeAndGo has a machine join a rack that serves, another drain and
// leave, a third die and boot again: what lived on the dead one is lost and said
// to be, everything else is there all the time.
func TestMachinesComeAndGo(t *testing.T) {
	r := start(t, qemu.Options{Hosted: true, Machines: 4})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	const keys = 100
	name := func(i int) string { return fmt.Sprintf("key:%d", i) }
	// ask reads every key on connections of their own, which go round the machines,
	// and returns how many are there and how many are said to be lost.
	ask := func() (there, lost int) {
		for i := range keys {
			c := redis.NewClient(&redis.Options{Addr: r.Listen()[0], MaxRetries: -1, ReadTimeout: time.Minute})
			v, err := c.Get(ctx, name(i)).Result()
			c.Close()
			switch {
			case err == nil && v == fmt.Sprint(i):
				there++
			case err != nil && strings.Contains(err.Error(), proclet.ErrLost.Error()):
				lost++
			default:
				t.Fatalf("GET %s: %q, %v", name(i), v, err)
			}
		}
		return there, lost
	}
	c := connect(t, r.Listen()[0], 2)
	for i := range keys {
		if err := c.Set(ctx, name(i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}

	if _, err := r.AddMachine(); err != nil {
		t.Fatal(err)
	}
	if err := r.WaitPort(ctx, 6379); err != nil {
		t.Fatal(err)
	}
	observer := observe(t, r)
	if there, _ := ask(); there != keys {
		t.Fatalf("a machine joined: %d of %d keys are there", there, keys)
	}

	// Everything the drained machine had goes elsewhere, and it ends well.
	leaving, holder := pick(t, ctx, observer, r)
	if err := migrate.AskDrain(ctx, observer, leaving.id); err != nil {
		t.Fatal(err)
	}
	if code, err := leaving.machine.Wait(ctx); code != 0 || err != nil {
		t.Fatalf("the drained machine ended with %d, %v", code, err)
	}
	if there, _ := ask(); there != keys {
		t.Fatalf("a machine left: %d of %d keys are there", there, keys)
	}

	// A machine dies. Its keys are lost, and callers are told.
	dying, _ := pick(t, ctx, observer, r)
	if err := dying.machine.Kill(); err != nil {
		t.Fatal(err)
	}
	there, lost := ask()
	if there+lost != keys || lost == 0 || there == 0 {
		t.Fatalf("a machine died: %d keys are there, %d are lost, of %d", there, lost, keys)
	}
	if err := dying.machine.Restart(); err != nil {
		t.Fatal(err)
	}
	for !joined(observer, dying.ip, dying.id) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond) // until it is a member again, as another incarnation
	}
	again, lostAgain := ask()
	if again != there || lostAgain != lost {
		t.Fatalf("a machine booted again: %d keys are there, %d are lost; before %d and %d", again, lostAgain, there, lost)
	}
	if !holder.machine.Running() {
		t.Error("the machine with the table of shards ended")
	}
}

// place is a machine of the rack and the member that it is.
type place struct {
	id      rack.MachineID
	ip      string
	machine *qemu.Machine
}

// pick returns a machine that runs and does not hold the table of shards, and the
// one that does.
func pick(t *testing.T, ctx context.Context, observer *rack.Rack, r *qemu.Rack) (other, holder place) {
	t.Helper()
	for _, m := range observer.Members() {
		p := place{id: m.ID, ip: m.IP.String()}
		for _, machine := range r.Machines() {
			if machine.IP() == m.IP {
				p.machine = machine
			}
		}
		infos, err := proclet.Ask(ctx, observer, m.ID)
		if errors.Is(err, rack.ErrLost) {
			continue // it has just left, which the observer hears now
		}
		if err != nil {
			t.Fatal(err)
		}
		table := false
		for _, info := range infos {
			table = table || strings.HasSuffix(info.Type, ".Table")
		}
		switch {
		case table:
			holder = p
		case len(infos) > 0:
			other = p
		}
	}
	if other.machine == nil || holder.machine == nil {
		t.Fatalf("no machine to choose among %v", observer.Members())
	}
	return other, holder
}

// joined reports whether a member with this address has another ID.
func joined(r *rack.Rack, ip string, before rack.MachineID) bool {
	for _, m := range r.Members() {
		if m.IP.String() == ip && m.ID != before {
			return true
		}
	}
	return false
}
