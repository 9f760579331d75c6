// Command kv is a key-value store that speaks the Redis protocol. Its keys lie
// in shards, each a proclet; every machine of the rack answers for every key.
package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"nuos/boot"
	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

var (
	portParam   = boot.NewParam("port", "6379", "kv: TCP port that Redis clients connect to")
	shardsParam = boot.NewParam("shards", "", "kv: number of shards; default 64 for each machine of the rack's first start")
)

// shardCapacity is the address space of a shard, not its memory.
const shardCapacity = 64 << 20

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
	migrate.Serve(r, runtime)
	store, err := openStore(proclet.Current(), r)
	if err != nil {
		return err
	}
	s := &server{store: store, rack: r, commands: newCommands(), started: time.Now()}
	return s.Serve(net.JoinHostPort(boot.Host(), portParam.Value()))
}

// Table is the root object of the proclet named "kv": it knows the shards.
type Table struct {
	shards proclet.Slice[proclet.Ref[Shard]]
}

// Fill puts the shards into the table when it is made.
func (tb *Table) Fill(t *proclet.Thread, shards []proclet.Ref[Shard]) (struct{}, error) {
	for _, s := range shards {
		if err := tb.shards.Append(t, s); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
}

// Shards returns all of them.
func (tb *Table) Shards(t *proclet.Thread, _ struct{}) ([]proclet.Ref[Shard], error) {
	var shards []proclet.Ref[Shard]
	for _, s := range tb.shards.All() {
		shards = append(shards, *s)
	}
	return shards, nil
}

// openStore finds the rack's table of shards. The machine that comes first
// makes it.
func openStore(t *proclet.Thread, r *rack.Rack) (*Store, error) {
	table, err := proclet.Singleton(t, "kv", func(t *proclet.Thread) (proclet.Ref[Table], error) {
		return newTable(t, len(r.Members()))
	})
	if err != nil {
		return nil, fmt.Errorf("finding the shards: %w", err)
	}
	shards, err := proclet.Call(t, table, (*Table).Shards, struct{}{})
	if err != nil {
		return nil, fmt.Errorf("finding the shards: %w", err)
	}
	return &Store{shards}, nil
}

func newTable(t *proclet.Thread, machines int) (proclet.Ref[Table], error) {
	var none proclet.Ref[Table]
	n := 64 * machines
	if v, given := shardsParam.Lookup(); given {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n < 1 || n > 1<<(64-scanBits) {
			return none, fmt.Errorf("boot parameter shards=%s: want a number from 1 to %d", v, 1<<(64-scanBits))
		}
	}
	shards := make([]proclet.Ref[Shard], n)
	for i := range shards {
		var err error
		if shards[i], err = proclet.New[Shard](t, proclet.Options{Capacity: shardCapacity}); err != nil {
			return none, fmt.Errorf("shard %d: %w", i, err)
		}
	}
	table, err := proclet.New[Table](t, proclet.Options{Capacity: 4 << 20})
	if err == nil {
		_, err = proclet.Call(t, table, (*Table).Fill, shards)
	}
	return table, err
}
