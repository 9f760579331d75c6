// Command kv is a key-value store that speaks the Redis protocol. Its keys lie
// in shards, each a proclet; every machine of the rack answers for every key.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"nuos/boot"
	"nuos/metrics"
	"nuos/migrate"
	"nuos/migrate/balance"
	"nuos/proclet"
	"nuos/rack"
)

var (
	portParam   = boot.NewParam("port", "6379", "kv: TCP port that Redis clients connect to")
	shardsParam = boot.NewParam("shards", "", "kv: number of shards; default 64 for each machine of the rack's first start")
)

const (
	// shardCapacity is the address space of a shard, not its memory.
	shardCapacity = 64 << 20
	// maxShards is how many a SCAN cursor can tell apart.
	maxShards = 1 << (64 - scanBits)
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "kv:", err)
		os.Exit(1)
	}
}

func run() error {
	r, err := rack.Join(rack.Config{})
	if err != nil {
		return err
	}
	runtime := proclet.Serve(r)
	migrator := migrate.Serve(r, runtime)
	metrics.Serve(r, migrator)
	balance.Serve(r, runtime, migrator)
	store, err := openStore(proclet.Current(), r)
	if err != nil {
		return err
	}
	s := &server{store: store, rack: r, commands: newCommands(), started: time.Now()}
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(net.JoinHostPort(boot.Host(), portParam.Value())) }()
	select {
	case err := <-failed:
		return err
	case <-migrator.Drained():
		ctx := context.Background()
		return errors.Join(runtime.Settle(ctx), r.Leave(ctx))
	}
}

// Table is the root object of the proclet named "kv": it makes the shards and
// knows them.
type Table struct {
	mu     proclet.Mutex
	made   bool
	shards proclet.Slice[proclet.Ref[Shard]]
}

// Shards returns the shards. The first call makes n of them.
func (tb *Table) Shards(t *proclet.Thread, n int) ([]proclet.Ref[Shard], error) {
	tb.mu.Lock(t)
	defer tb.mu.Unlock(t)
	for tb.shards.Len() < n && !tb.made {
		s, err := proclet.New[Shard](t, proclet.Options{Capacity: shardCapacity})
		if err != nil {
			return nil, fmt.Errorf("shard %d: %w", tb.shards.Len(), err)
		}
		if err := tb.shards.Append(t, s); err != nil {
			return nil, err
		}
	}
	tb.made = true
	var shards []proclet.Ref[Shard]
	for _, s := range tb.shards.All() {
		shards = append(shards, *s)
	}
	return shards, nil
}

// openStore finds the rack's shards. The machine that comes first has them made.
func openStore(t *proclet.Thread, r *rack.Rack) (*Store, error) {
	n := 64 * len(r.Members())
	if v, given := shardsParam.Lookup(); given {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n < 1 || n > maxShards {
			return nil, fmt.Errorf("boot parameter shards=%s: want a number from 1 to %d", v, maxShards)
		}
	}
	table, err := proclet.Singleton(t, "kv", func(t *proclet.Thread) (proclet.Ref[Table], error) {
		return proclet.New[Table](t, proclet.Options{})
	})
	if err != nil {
		return nil, fmt.Errorf("finding the shards: %w", err)
	}
	shards, err := proclet.Call(t, table, (*Table).Shards, n)
	if err != nil {
		return nil, fmt.Errorf("finding the shards: %w", err)
	}
	return &Store{shards}, nil
}
