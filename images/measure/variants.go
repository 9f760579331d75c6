package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"nuos/migrate"
	"nuos/proclet"
)

// variants are the moves of proclets that are more than idle bytes, and of many at once.
func (b *mover) variants(wanted func(name string) bool) error {
	for _, v := range []struct {
		name string
		move func(b *mover, name string) error
	}{
		{"Move/bytes=65536/values=100", func(b *mover, name string) error { return b.moveStore(name, 64<<10) }},
		{"Move/bytes=1048576/values=100", func(b *mover, name string) error { return b.moveStore(name, 1<<20) }},
		{"Move/bytes=16777216/values=100", func(b *mover, name string) error { return b.moveStore(name, 16<<20) }},
		{"Move/bytes=1048576/threads=10", func(b *mover, name string) error { return b.moveHall(name, crowd{1 << 20, 10}) }},
		{"Move/bytes=1048576/threads=1000", func(b *mover, name string) error { return b.moveHall(name, crowd{1 << 20, 1000}) }},
		{"Move/bytes=1048576/writes=100MBs", func(b *mover, name string) error { return b.moveSlate(name, 1<<20, 100e6) }},
		{"Move/bytes=67108864/writes=100MBs", func(b *mover, name string) error { return b.moveSlate(name, 64<<20, 100e6) }},
		{"MoveBatch/n=1", func(b *mover, name string) error { return b.moveBatch(name, 1) }},
		{"MoveBatch/n=10", func(b *mover, name string) error { return b.moveBatch(name, 10) }},
		{"MoveBatch/n=100", func(b *mover, name string) error { return b.moveBatch(name, 100) }},
		{"MoveBatch/n=1000", func(b *mover, name string) error { return b.moveBatch(name, 1000) }},
		{"MoveBatch/n=10000", func(b *mover, name string) error { return b.moveBatch(name, 10_000) }},
	} {
		if !wanted(v.name) {
			continue
		}
		if err := v.move(b, v.name); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	return nil
}

// andBack is how often one proclet goes there and back.
const andBack = 20

// shuttle moves one proclet there, which is what it measures, and back. Where it arrives it
// has some time to itself.
func (b *mover) shuttle(name string, id proclet.ID, rest time.Duration) error {
	var totals, pauses []time.Duration
	var rounds, again uint64
	for i := range andBack + 1 {
		start := time.Now()
		moved, err := b.migrator.Move(context.Background(), id, b.other)
		if err != nil {
			return err
		}
		if total := time.Since(start); i > 0 {
			totals, pauses = append(totals, total), append(pauses, moved.Pause)
			rounds, again = rounds+moved.Rounds, again+moved.Again
		}
		time.Sleep(rest)
		if _, err := migrate.Ask(context.Background(), b.rack, b.other, id, b.self); err != nil {
			return err
		}
		time.Sleep(rest)
	}
	figures := slices.Concat(medianAndTail(totals, "ns/op"), medianAndTail(pauses, "pause-ns/op"))
	if rounds > 0 {
		figures = append(figures, figure{float64(rounds) / andBack, "rounds/op"}, figure{float64(again) / andBack, "again-B/op"})
	}
	row(name, andBack, figures...)
	return nil
}

// moveStore moves so many bytes as values of 100 bytes under keys.
func (b *mover) moveStore(name string, bytes int) error {
	t := proclet.Current()
	ref, err := proclet.New[Store](t, proclet.Options{Capacity: uint64(8 * bytes), On: b.self})
	if err != nil {
		return err
	}
	defer proclet.Destroy(t, ref)
	if _, err := proclet.Call(t, ref, (*Store).Fill, bytes); err != nil {
		return err
	}
	return b.shuttle(name, ref.ID(), 0)
}

// moveHall moves a proclet with threads that wait inside.
func (b *mover) moveHall(name string, c crowd) error {
	t := proclet.Current()
	ref, err := proclet.New[Hall](t, proclet.Options{Capacity: 32 << 20, On: b.self})
	if err != nil {
		return err
	}
	defer proclet.Destroy(t, ref)
	if _, err := proclet.Call(t, ref, (*Hall).Enter, c); err != nil {
		return err
	}
	return b.shuttle(name, ref.ID(), 0)
}

// moveSlate moves a proclet that is written all the time.
func (b *mover) moveSlate(name string, bytes, perSecond int) error {
	t := proclet.Current()
	ref, err := proclet.New[Slate](t, proclet.Options{Capacity: uint64(4 * bytes), On: b.self})
	if err != nil {
		return err
	}
	defer proclet.Destroy(t, ref)
	if _, err := proclet.Call(t, ref, (*Slate).Clean, bytes); err != nil {
		return err
	}
	if _, err := proclet.Call(t, ref, (*Slate).Scribble, perSecond); err != nil {
		return err
	}
	if err := b.shuttle(name, ref.ID(), 20*time.Millisecond); err != nil {
		return err
	}
	written, err := proclet.Call(t, ref, (*Slate).Stop, struct{}{})
	row("Written/by="+name, 1, figure{float64(written) / 1e6, "MB/s"})
	return err
}

const (
	batchBytes  = 4 << 10 // of each proclet
	batchAtOnce = 16      // moves under way
	batchMoves  = 100     // at least, and three batches
)

// moveBatch moves n small proclets, several at once.
func (b *mover) moveBatch(name string, n int) error {
	t := proclet.Current()
	ids := make([]proclet.ID, n)
	for i := range ids {
		ref, err := proclet.New[Block](t, proclet.Options{Capacity: 64 << 10, On: b.self})
		if err != nil {
			return err
		}
		defer proclet.Destroy(t, ref)
		if _, err := proclet.Call(t, ref, (*Block).Grow, batchBytes); err != nil {
			return err
		}
		ids[i] = ref.ID()
	}
	batches := max(3, batchMoves/n)
	times := make([]time.Duration, 0, batches)
	for i := range batches + 1 {
		start := time.Now()
		err := atOnce(ids, func(id proclet.ID) error {
			_, err := b.migrator.Move(context.Background(), id, b.other)
			return err
		})
		if err != nil {
			return err
		}
		if took := time.Since(start); i > 0 {
			times = append(times, took)
		}
		err = atOnce(ids, func(id proclet.ID) error {
			_, err := migrate.Ask(context.Background(), b.rack, b.other, id, b.self)
			return err
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(times)
	took := times[len(times)/2]
	row(name, n, figure{float64(took) / float64(n), "ns/proclet"}, figure{float64(n) / took.Seconds(), "proclets/s"})
	return nil
}

// atOnce does something with all of ids, with several at a time.
func atOnce(ids []proclet.ID, do func(id proclet.ID) error) error {
	var (
		wait   sync.WaitGroup
		next   = make(chan proclet.ID)
		mu     sync.Mutex
		failed error
	)
	for range batchAtOnce {
		wait.Go(func() {
			for id := range next {
				if err := do(id); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	wait.Wait()
	return failed
}
