// Command measure says what calls and moves cost between two machines of a rack:
//
//	nuos run --hosted --link --pin --param idle=poll ./images/measure
//	nuos run --hosted --param measure=floors,calls ./images/measure
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

var measureParam = boot.NewParam("measure", "footprint,floors,calls,moves,beside", "measure: what to measure, separated by commas")

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
	if chosen("footprint") { // before the others have left anything behind
		err = footprint(self)
	}
	if err == nil && chosen("floors") {
		err = floors(r.Port())
	}
	if err == nil && chosen("calls") {
		err = calls(self, other)
	}
	if err == nil && chosen("moves") {
		err = moves(r, m, other)
	}
	if err == nil && chosen("beside") {
		err = besides(r, m, other)
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
