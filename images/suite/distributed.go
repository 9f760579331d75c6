package main

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"nuos/proclet"
	"nuos/proclet/dist"
)

// addTo is applied to values of a hash table.
func addTo(v *int64, t *proclet.Thread, n int64) (int64, error) {
	*v += n
	return *v, nil
}

// checkDisHashTable: a table that is spread over many proclets, of which some split
// and merge, answers like one map.
func checkDisHashTable(s *suite) (string, error) {
	table, err := dist.NewHashTable[uint64, int64](s.t, dist.Options{Shards: 6, ShardBytes: 64 << 10})
	if err != nil {
		return "", err
	}
	const workers, keys = 5, 1000
	rounds := s.times(1200)
	models := make([]map[uint64]int64, workers)
	err = together(workers, func(w int) error {
		random := rand.New(rand.NewPCG(s.seed, uint64(300+w)))
		model := map[uint64]int64{}
		models[w] = model
		for range rounds {
			k := uint64(random.IntN(keys)*workers + w)
			had, there := model[k]
			switch random.IntN(5) {
			case 0:
				v := random.Int64N(1000)
				model[k] = v
				if err := table.Put(s.t, k, v); err != nil {
					return err
				}
			case 1:
				delete(model, k)
				got, err := table.Delete(s.t, k)
				if err := errors.Join(err, want("deleted", got, there)); err != nil {
					return err
				}
			case 2:
				model[k] = had + 7
				got, err := dist.Apply(s.t, table, k, addTo, 7)
				if err := errors.Join(err, want("applied", got, had+7)); err != nil {
					return err
				}
			default:
				got, ok, err := table.Get(s.t, k)
				if err := errors.Join(err, want("there", ok, there), want("value", got, had)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	entries, total := 0, int64(0)
	for _, m := range models {
		entries += len(m)
		for _, v := range m {
			total += v
		}
	}
	n, err := table.Len(s.t)
	if err := errors.Join(err, want("entries", n, entries)); err != nil {
		return "", err
	}
	sum, err := dist.Reduce(s.t, table, 0, func(sum int64, _ *uint64, v *int64) int64 { return sum + *v }, func(a, b int64) int64 { return a + b })
	if err := errors.Join(err, want("sum of all values", sum, total)); err != nil {
		return "", err
	}
	all := table.Entries(s.t)
	for k, v := range all.All() {
		if want := models[k%workers][k]; v != want {
			return "", fmt.Errorf("key %d has the value %d, want %d", k, v, want)
		}
		entries--
	}
	err = errors.Join(all.Err(), want("entries left over", entries, 0), table.Destroy(s.t))
	return fmt.Sprintf("%d operations of %d workers", rounds*workers, workers), err
}

// collatz returns how many steps the numbers of a task take to 1.
func collatz(t *proclet.Thread, task int, width int) (int64, error) {
	steps := int64(0)
	for n := task*width + 1; n <= (task+1)*width; n++ {
		for v := n; v != 1; steps++ {
			if v%2 == 0 {
				v /= 2
			} else {
				v = 3*v + 1
			}
		}
		t.Checkpoint()
	}
	return steps, nil
}

// checkCPULoad: work that computes goes where processors are free, and comes to
// what it comes to on one machine.
func checkCPULoad(s *suite) (string, error) {
	tasks, width := s.times(200), 2000
	job := dist.Job[int, int64]{Tasks: tasks, Run: collatz, Arg: width, Combine: func(a, b int64) int64 { return a + b }}
	e, err := dist.Start(s.t, job, dist.ExecutorOptions{})
	if err != nil {
		return "", err
	}
	got, err := e.Wait(s.t)
	if err != nil {
		return "", err
	}
	progress, err := e.Progress(s.t)
	if err != nil {
		return "", err
	}
	should := int64(0)
	for task := range tasks {
		n, _ := collatz(s.t, task, width)
		should += n
	}
	done := fmt.Sprintf("%d tasks on %d workers, of whom %d were dismissed", tasks, progress.Hired, progress.Dismissed)
	return done, errors.Join(want("steps", got, should), want("tasks", progress.Done, tasks), e.Release(s.t))
}

// checkDisMemPool: objects of several types in memory anywhere in the rack, with
// one, many and no owners.
func checkDisMemPool(s *suite) (string, error) {
	pool, err := dist.NewMemPool(s.t, dist.Options{ShardBytes: 64 << 10})
	if err != nil {
		return "", err
	}
	const workers = 4
	n := s.times(300)
	err = together(workers, func(w int) error {
		var raw []proclet.RemotePtr[[256]uint64]
		var texts []proclet.RemoteUnique[proclet.String]
		for i := range n {
			v := [256]uint64{uint64(w), uint64(i)}
			p, err := dist.Alloc(s.t, pool, v)
			if err != nil {
				return err
			}
			raw = append(raw, p)
			text, err := dist.AllocUnique(s.t, pool, proclet.View(fmt.Sprintf("text %d of worker %d", i, w)))
			if err != nil {
				return err
			}
			texts = append(texts, text)
			shared, err := dist.AllocShared(s.t, pool, int64(i))
			if err != nil {
				return err
			}
			old, err := shared.Ptr().Load(s.t)
			if err := errors.Join(err, want("value", old, int64(i)), proclet.Release(s.t, shared)); err != nil {
				return err
			}
		}
		for i := range n {
			v, err := raw[i].Load(s.t)
			if err := errors.Join(err, want("object", v, [256]uint64{uint64(w), uint64(i)}), raw[i].Free(s.t)); err != nil {
				return err
			}
			text, err := texts[i].Ptr().Load(s.t)
			if err := errors.Join(err, want("text", text.String(), fmt.Sprintf("text %d of worker %d", i, w)), proclet.Release(s.t, texts[i])); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	stats, err := pool.Stats(s.t)
	return fmt.Sprintf("%d objects in %d shards", 3*n*workers, stats.Shards), errors.Join(err, pool.Release(s.t))
}
