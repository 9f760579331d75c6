// Command wanderer is a program with a single thread, which walks round the rack
// in the middle of a recursive computation:
//
//	nuos run ./images/wanderer
//	nuos run --hosted --param hops=1000000 ./images/wanderer
//
// At every step the thread goes on on the next machine, with its stack: locals,
// pointers to locals, deferred calls, a panic on its way. It says where it is, how
// often it has hopped, and a checksum of all that it has computed. After each walk
// through its tree it makes the same walk without a hop and compares.
//
//nuos:machines 3
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"nuos/boot"
	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

var hopsParam = boot.NewParam("hops", "0", "wanderer: how often it hops before it ends; 0 is for ever")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL wanderer:", err)
		os.Exit(1)
	}
}

func run() error {
	hops, err := strconv.Atoi(hopsParam.Value())
	if err != nil || hops < 0 {
		return fmt.Errorf("boot parameter hops=%s: want a number", hopsParam.Value())
	}
	r, err := rack.Join(rack.Config{})
	if err != nil {
		return err
	}
	if len(r.Members()) < 2 {
		return errors.New("one machine is nowhere to go: run with -n 3")
	}
	machine.self, machine.rack, machine.asked = r.Self().ID, r, make(chan proclet.ID, 1)
	machine.migrator = migrate.Serve(r, proclet.Serve(r))
	go carry()

	first := slices.MinFunc(r.Members(), func(a, b rack.Member) int { return cmp.Compare(a.ID, b.ID) })
	if first.ID == machine.self {
		err = wander(hops)
	} else {
		serve(first.ID)
	}
	return errors.Join(err, r.Leave(context.Background()))
}

// wander sends a thread on its way and waits until it is done.
func wander(hops int) error {
	t := proclet.Current()
	ref, err := proclet.New[Wanderer](t, proclet.Options{Capacity: 1 << 20, On: machine.self})
	if err != nil {
		return err
	}
	start := time.Now()
	a, err := proclet.Call(t, ref, (*Wanderer).Wander, journey{ref.ID(), hops})
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Printf("PASS %d hops, %d walks, checksum %016x, %v for a hop\n", a.Hops, a.Walks, a.Sum, took/time.Duration(max(a.Hops, 1)))
	return nil
}

// serve returns when the machine where the thread began has left.
func serve(first rack.MachineID) {
	for slices.ContainsFunc(machine.rack.Members(), func(m rack.Member) bool { return m.ID == first }) {
		time.Sleep(100 * time.Millisecond)
	}
}

// machine is what belongs to the machine that the code runs on. The thread finds
// another one after every hop.
var machine struct {
	self     rack.MachineID
	rack     *rack.Rack
	migrator *migrate.Migrator
	asked    chan proclet.ID
}

// carryOn asks for the proclet to be moved to the next machine, which takes
// effect when the thread that asks stops at a safe point.
func carryOn(id proclet.ID) {
	select {
	case machine.asked <- id:
	default: // it has been asked for
	}
}

// carry moves what asks for it to the next machine.
func carry() {
	for id := range machine.asked {
		for {
			_, err := machine.migrator.Move(context.Background(), id, next())
			if err == nil || errors.Is(err, proclet.ErrNoProclet) {
				break
			}
			// The thread was not at a safe point in time, or the next machine
			// had no room. What else there is would be wrong for ever.
			if !errors.Is(err, proclet.ErrBusy) && !errors.Is(err, migrate.ErrRefused) {
				fmt.Fprintln(os.Stderr, "FAIL wanderer cannot hop:", err)
				os.Exit(1)
			}
		}
	}
}

// next returns the machine with the next higher number, after the last the first.
func next() rack.MachineID {
	members := machine.rack.Members()
	slices.SortFunc(members, func(a, b rack.Member) int { return cmp.Compare(a.ID, b.ID) })
	i := slices.IndexFunc(members, func(m rack.Member) bool { return m.ID > machine.self })
	return members[max(i, 0)].ID
}
