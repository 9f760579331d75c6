// Command suite checks on a rack of three machines that proclets do what they
// promise: calls, threads, locks, references, heaps, moves.
//
//	nuos run ./images/suite
//	nuos run --hosted --param moving=0s ./images/suite
//
// The machine with the lowest number makes the checks and prints a line for each;
// the others serve until it has left, and then leave, too. With the parameter moving every machine
// moves what lives on it to the others all the time.
//
//nuos:machines 3
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"nuos/boot"
	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

var (
	movingParam = boot.NewParam("moving", "", "suite: how long each machine waits between two moves; empty: nothing moves")
	effortParam = boot.NewParam("effort", "100", "suite: percent of the usual number of rounds")
	onlyParam   = boot.NewParam("only", ".", "suite: regular expression of the names of checks to make")
	seedParam   = boot.NewParam("seed", "", "suite: seed of what is random; default: a new one")
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(1)
	}
}

func run() error {
	r, err := rack.Join(rack.Config{})
	if err != nil {
		return err
	}
	s := &suite{rack: r, runtime: proclet.Serve(r)}
	s.migrator = migrate.Serve(r, s.runtime)
	local.suite = s
	if err := s.configure(); err != nil {
		return err
	}
	if err := serveEcho(s); err != nil {
		return err
	}
	s.t = proclet.Current()
	stop := s.keepMoving()
	members := r.Members()
	slices.SortFunc(members, func(a, b rack.Member) int { return cmp.Compare(a.ID, b.ID) })
	for _, m := range members {
		s.machines = append(s.machines, m.ID)
	}
	if s.machines[0] == r.Self().ID {
		err = s.checkAll()
	} else {
		s.serve(s.machines[0])
	}
	stop()
	return errors.Join(err, r.Leave(context.Background()))
}

// configure reads the boot parameters.
func (s *suite) configure() (err error) {
	if s.effort, err = strconv.Atoi(effortParam.Value()); err != nil || s.effort < 1 {
		return fmt.Errorf("boot parameter effort=%s: want a percentage", effortParam.Value())
	}
	if s.only, err = regexp.Compile(onlyParam.Value()); err != nil {
		return fmt.Errorf("boot parameter only: %w", err)
	}
	if v := movingParam.Value(); v != "" {
		s.moving = true
		if s.every, err = time.ParseDuration(v); err != nil {
			return fmt.Errorf("boot parameter moving: %w", err)
		}
	}
	s.seed = rand.Uint64()
	if v := seedParam.Value(); v != "" {
		if s.seed, err = strconv.ParseUint(v, 10, 64); err != nil {
			return fmt.Errorf("boot parameter seed: %w", err)
		}
	}
	return nil
}

// serve returns when the machine that makes the checks has left.
func (s *suite) serve(checking rack.MachineID) {
	for slices.ContainsFunc(s.rack.Members(), func(m rack.Member) bool { return m.ID == checking }) {
		time.Sleep(100 * time.Millisecond)
	}
}
