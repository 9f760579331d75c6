package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

// suite is what checks are made with. Its methods may be called from any
// goroutine.
type suite struct {
	rack     *rack.Rack
	runtime  *proclet.Runtime
	migrator *migrate.Migrator
	t        *proclet.Thread  // of ordinary goroutines
	machines []rack.MachineID // the first makes the checks

	effort int
	only   *regexp.Regexp
	moving bool
	every  time.Duration
	seed   uint64
}

// local is the suite of the machine that the code runs on.
var local struct{ suite *suite }

// check is one of the suite's checks. Run says what it has done, for the record.
type check struct {
	name string
	run  func(s *suite) (done string, err error)
}

var checks = []check{
	{"proclet", checkProclet},
	{"fast_path", checkFastPath},
	{"slow_path", checkSlowPath},
	{"cereal", checkCereal},
	{"pass_proclet", checkPassProclet},
	{"nested_proclet", checkNestedProclet},
	{"max_num_proclets", checkMaxNumProclets},
	{"perf", checkPerf},
	{"slab", checkSlab},
	{"sync_hash_map", checkSyncHashMap},
	{"lock", checkLock},
	{"condvar", checkCondvar},
	{"thread", checkThread},
	{"time", checkTime},
	{"rem_raw_ptr", checkRemRawPtr},
	{"rem_unique_ptr", checkRemUniquePtr},
	{"rem_shared_ptr", checkRemSharedPtr},
	{"migrate", checkMigrate},
	{"continuous_migrate", checkContinuousMigrate},
	{"cpu_load", checkCPULoad},
	{"dis_hash_table", checkDisHashTable},
	{"dis_mem_pool", checkDisMemPool},
	{"tcp_poll", checkTCPPoll},
}

// bound is how long a check may take.
const bound = 2 * time.Minute

// checkAll makes the checks and prints how each ended.
func (s *suite) checkAll() error {
	fmt.Printf("suite: %d machines, moving: %v, seed %d\n", len(s.machines), s.moving, s.seed)
	failed, made := 0, 0
	for _, c := range checks {
		if !s.only.MatchString(c.name) {
			continue
		}
		made++
		start, before := time.Now(), s.moves()
		left, err := s.count() // by checks that failed
		done := ""
		if err == nil {
			done, err = s.try(c)
		}
		if err == nil {
			err = s.cleared(left)
		}
		took := time.Since(start).Round(time.Millisecond)
		if err != nil {
			failed++
			fmt.Printf("FAIL %s %v (%v, %d moves)\n", c.name, err, took, s.moves()-before)
			continue
		}
		fmt.Printf("ok %s %s (%v, %d moves)\n", c.name, done, took, s.moves()-before)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, made)
	}
	fmt.Printf("PASS %d checks, %d moves\n", made, s.moves())
	return nil
}

// try makes one check within its bound.
func (s *suite) try(c check) (done string, err error) {
	type outcome struct {
		done string
		err  error
	}
	ended := make(chan outcome, 1)
	go func() {
		o := outcome{err: errors.New("ended its goroutine")}
		defer func() {
			if v := recover(); v != nil {
				o.err = fmt.Errorf("panic: %v", v)
			}
			ended <- o
		}()
		o.done, o.err = c.run(s)
	}()
	select {
	case o := <-ended:
		return o.done, o.err
	case <-time.After(bound):
		return "", fmt.Errorf("is not over after %v", bound)
	}
}

// cleared waits until the rack has no more proclets than before a check: the check
// has released all of its own, and what they held is gone with them.
func (s *suite) cleared(before int) error {
	for start := time.Now(); ; {
		n, err := s.count()
		if err != nil || n <= before {
			return err
		}
		if time.Since(start) > bound/4 {
			return fmt.Errorf("%d proclets are left", n-before)
		}
		time.Sleep(time.Millisecond)
	}
}

// count is how many proclets the rack has.
func (s *suite) count() (n int, err error) {
	for _, m := range s.machines {
		infos, err := s.proclets(m)
		if err != nil {
			return 0, err
		}
		n += len(infos)
	}
	return n, nil
}

// proclets lists what lives on a machine.
func (s *suite) proclets(m rack.MachineID) ([]proclet.Info, error) {
	if m == s.rack.Self().ID {
		return s.runtime.Proclets(), nil
	}
	return proclet.Ask(context.Background(), s.rack, m)
}

// moves is how many moves there were on all machines.
func (s *suite) moves() (n uint64) {
	for _, m := range s.machines {
		if m == s.rack.Self().ID {
			n += s.migrator.Stats().Made
		} else if stats, err := migrate.AskStats(context.Background(), s.rack, m); err == nil {
			n += stats.Made
		}
	}
	return n
}

// times is how often something is done that usually is done n times.
func (s *suite) times(n int) int { return max(1, n*s.effort/100) }

// machine returns a machine for the i-th of something.
func (s *suite) machine(i int) rack.MachineID { return s.machines[i%len(s.machines)] }

// random returns the random numbers of one check, or of a part of it.
func (s *suite) random(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed, stream)) }

// together calls f for 0 to n-1 at the same time, and returns the first error.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// want is an error if got is not what it should be.
func want[T comparable](what string, got, should T) error {
	if got != should {
		return fmt.Errorf("%s: %v, want %v", what, got, should)
	}
	return nil
}
