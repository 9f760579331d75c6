package main

import (
	"context"
	"fmt"
	"time"
)

// contestant is one who takes part: it runs once and returns what it has measured, in
// the format of Go's benchmarks.
type contestant struct {
	name    string
	measure func(ctx context.Context, b *bench) (string, error)
}

// turn is how long one turn may take. Seconds to half a minute are usual.
const turn = 5 * time.Minute

// take has one turn.
func (c *contestant) take(ctx context.Context, b *bench) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, turn)
	defer cancel()
	return c.measure(ctx, b)
}

// contestants have their turns in this order: ours is between those that it is compared with.
var contestants = []contestant{
	peer("ring"),
	peer("page-fault"),
	peer("grpc-tcp"),
	peer("netrpc-tcp"),
	peer("tcp"),
	peer("block-tcp"),
	{"nuos", machines},
	{"nuos-connection", connection},
	peer("grpc-unix"),
	peer("netrpc-unix"),
	peer("gob-tcp"),
	peer("msgpack-tcp"),
	{"redis-migrate", redisMigrate},
	{"qemu-migrate", guestMigrate},
	{"criu", criu},
	{"emulated-nuos", func(ctx context.Context, b *bench) (string, error) { return b.emulated(ctx, "nuos") }},
	{"emulated-linux", func(ctx context.Context, b *bench) (string, error) { return b.emulated(ctx, "linux") }},
}

// leftOutError means that somebody cannot take part on this computer.
type leftOutError struct{ why string }

func (e *leftOutError) Error() string { return "left out: " + e.why }

func leaveOut(format string, args ...any) error { return &leftOutError{fmt.Sprintf(format, args...)} }
