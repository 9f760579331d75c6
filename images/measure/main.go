// Command measure says what calls and moves cost between two machines of a rack:
//
//	nuos run --hosted -n 2 ./images/measure
//	nuos run --hosted -n 2 --param measure=floors,calls ./images/measure
//
// and, in the same processes, what no call and no move can be quicker than. It prints
// in the format of Go's benchmarks. The machine with the lowest number measures, prints and ends; the others serve
// until it has.
//
//nuos:machines 2
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"nuos/boot"
	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

// Block is the state that is called and moved: so many bytes.
type Block struct {
	bytes proclet.Slice[byte]
}

// Grow makes the block n bytes larger.
func (b *Block) Grow(t *proclet.Thread, n int) (int, error) {
	chunk := make([]byte, 64<<10)
	for i := range chunk {
		chunk[i] = byte(i)
	}
	for n > 0 {
		part := chunk[:min(n, len(chunk))]
		if err := b.bytes.Append(t, part...); err != nil {
			return 0, err
		}
		n -= len(part)
	}
	return b.bytes.Len(), nil
}

// Size returns how many bytes the block has: the least that a call can do.
func (b *Block) Size(t *proclet.Thread, _ struct{}) (int, error) { return b.bytes.Len(), nil }

var measureParam = boot.NewParam("measure", "floors,calls,moves", "measure: what to measure, separated by commas")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "measure:", err)
		os.Exit(1)
	}
}

func run() error {
	r, err := rack.Join(rack.Config{Machines: 2})
	if err != nil {
		return err
	}
	m := migrate.Serve(r, proclet.Serve(r))
	self := r.Self().ID
	var other rack.MachineID
	for _, member := range r.Members() {
		if member.ID < self {
			serve(r, member.ID)
			return r.Leave(context.Background())
		}
		if member.ID > self && (other == 0 || member.ID < other) {
			other = member.ID
		}
	}
	if other == 0 {
		return errors.New("there is no second machine: run with -n 2")
	}
	if chosen("floors") {
		err = floors(r.Port())
	}
	if err == nil && chosen("calls") {
		err = calls(self, other)
	}
	for _, size := range []int{64 << 10, 1 << 20, 16 << 20} {
		if err == nil && chosen("moves") {
			err = moves(r, m, other, size)
		}
	}
	return errors.Join(err, r.Leave(context.Background()))
}

// chosen reports whether the boot parameter says to measure that.
func chosen(part string) bool {
	return slices.Contains(strings.Split(measureParam.Value(), ","), part)
}

// serve returns when the measuring machine has left.
func serve(r *rack.Rack, measuring rack.MachineID) {
	defer mirror(r.Port())()
	for slices.ContainsFunc(r.Members(), func(m rack.Member) bool { return m.ID == measuring }) {
		time.Sleep(100 * time.Millisecond)
	}
}

// moves measures moves of a proclet of so many bytes to the other machine; moves
// back are not counted, so that each measured one ends in memory as cold as the
// last.
func moves(r *rack.Rack, m *migrate.Migrator, other rack.MachineID, size int) error {
	t := proclet.Current()
	ref, err := proclet.New[Block](t, proclet.Options{Capacity: uint64(4 * size), On: r.Self().ID})
	if err != nil {
		return err
	}
	if _, err := proclet.Call(t, ref, (*Block).Grow, size); err != nil {
		return err
	}
	times := make([]time.Duration, 0, 100)
	for len(times) < cap(times) {
		report, err := m.Move(context.Background(), ref.ID(), other)
		if err != nil {
			return err
		}
		times = append(times, report.Pause)
		if _, err := migrate.Ask(context.Background(), r, other, ref.ID(), r.Self().ID); err != nil {
			return err
		}
	}
	row("Move/size="+sizeName(size), len(times), quantiles(times)...)
	return proclet.Destroy(t, ref)
}
