package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"nuos/boot"
	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

var movesParam = boot.NewParam("moves", "", "measure: regular expression that the names of moves match which are measured, such as bytes=65536; empty: all")

// awayBytes is how much memory moves before the first of it moves again: more than
// caches hold.
const awayBytes = 128 << 20

// settle is how long a machine has, between two moves that are timed, to clear away what the
// last has left: they are moves of machines that do nothing else.
const settle = 100 * time.Microsecond

// warmRounds is how often all go there and back before moves are timed: until each machine has
// the memory that it needs in its own tables, and that of the other in those of the link.
const warmRounds = 3

// moves measures moves of proclets of several sizes to the other machine.
func moves(r *rack.Rack, m *migrate.Migrator, other rack.MachineID) error {
	wanted, err := regexp.Compile(movesParam.Value())
	if err != nil {
		return fmt.Errorf("boot parameter moves=: %w", err)
	}
	b := &mover{r, m, r.Self().ID, other}
	for _, size := range []int{64 << 10, 1 << 20, 16 << 20, 64 << 20} {
		name := fmt.Sprintf("Move/bytes=%d/threads=0/idle", size)
		if !wanted.MatchString(name) {
			continue
		}
		if err := b.move(name, size); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return b.variants(wanted.MatchString)
}

// mover moves proclets between two machines.
type mover struct {
	rack     *rack.Rack
	migrator *migrate.Migrator
	self     rack.MachineID
	other    rack.MachineID
}

// move measures moves of proclets of so many bytes, each beside a copy of as many bytes
// within this machine, from memory as cold to memory as cold.
//
// All go there and come back before one goes again. Moves back are not counted.
func (b *mover) move(name string, size int) error {
	t := proclet.Current()
	blocks := make([]proclet.Ref[Block], max(awayBytes/size, 2))
	for i := range blocks {
		ref, err := proclet.New[Block](t, proclet.Options{Capacity: uint64(4 * size), On: b.self})
		if err != nil {
			return err
		}
		defer proclet.Destroy(t, ref)
		if _, err := proclet.Call(t, ref, (*Block).Grow, size); err != nil {
			return err
		}
		blocks[i] = ref
	}
	floor := newFloor(size)
	var totals, pauses, copies []time.Duration
	for round := range warmRounds + max(1, 20/len(blocks)) {
		for _, ref := range blocks {
			time.Sleep(settle)
			took := floor.copy()
			start := time.Now()
			moved, err := b.migrator.Move(context.Background(), ref.ID(), b.other)
			if err != nil {
				return err
			}
			if total := time.Since(start); round >= warmRounds {
				totals, pauses, copies = append(totals, total), append(pauses, moved.Pause), append(copies, took)
			}
		}
		for _, ref := range blocks {
			if _, err := migrate.Ask(context.Background(), b.rack, b.other, ref.ID(), b.self); err != nil {
				return err
			}
		}
	}
	row(name, len(totals), slices.Concat(medianAndTail(totals, "ns/op"), medianAndTail(pauses, "pause-ns/op"), medianAndTail(copies, "memcpy-ns/op"))...)
	return nil
}

// medianAndTail are the median of some times, as unit, and their 99th percentile.
func medianAndTail(times []time.Duration, unit string) []figure {
	slices.Sort(times)
	n := len(times)
	return []figure{{float64(times[n/2]), unit}, {float64(times[n*99/100]), "p99-" + unit}}
}

// floor copies memory that is not in the caches to memory that is not, either, and is mapped.
type floor struct {
	from, to []byte
	size, at int
}

func newFloor(size int) *floor {
	f := &floor{from: make([]byte, max(awayBytes, 2*size)), to: make([]byte, max(awayBytes, 2*size)), size: size}
	for i := 0; i < len(f.from); i += 64 {
		f.from[i], f.to[i] = 1, 1
	}
	return f
}

// copy copies the next size bytes and returns how long that took.
func (f *floor) copy() time.Duration {
	start := time.Now()
	copy(f.to[f.at:f.at+f.size], f.from[f.at:f.at+f.size])
	took := time.Since(start)
	f.at = (f.at + f.size) % len(f.from)
	return took
}
