package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"nuos/migrate"
	"nuos/proclet"
)

// keepMoving moves what lives on this machine to the others, one after the other,
// again and again, until stop is called. It does nothing unless that is asked for.
func (s *suite) keepMoving() (stop func()) {
	if !s.moving {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var moving sync.WaitGroup
	moving.Go(func() {
		random := s.random(uint64(s.rack.Self().ID))
		for ctx.Err() == nil {
			all := s.runtime.Proclets()
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for _, info := range all {
				if ctx.Err() == nil && !info.Pinned {
					s.move(info, random.IntN(len(s.rack.Members())))
				}
				time.Sleep(s.every)
			}
			if len(all) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	})
	return func() {
		cancel()
		moving.Wait()
	}
}

// move moves a proclet to the machine at that place of the list of members, unless
// that is this one.
func (s *suite) move(info proclet.Info, place int) {
	id, err := proclet.ParseID(info.ID)
	if err != nil {
		panic(err)
	}
	members := s.rack.Members()
	if to := members[place%len(members)].ID; to != s.rack.Self().ID {
		_, err = s.migrator.Move(context.Background(), id, to)
	}
	// Some threads hold what cannot move, such as the Go map in an argument of
	// checkCereal; they end, and then their proclet moves.
	for _, usual := range []error{proclet.ErrHeld, proclet.ErrNoProclet, proclet.ErrBusy, proclet.ErrPinned, migrate.ErrRefused, migrate.ErrNoMachine} {
		if errors.Is(err, usual) {
			return
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "suite: move of a %s: %v\n", info.Type, err)
	}
}
