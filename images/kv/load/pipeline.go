package load

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// pipeline sends one round of writes, reads and increments and judges every
// reply.
func (l *Load) pipeline(ctx context.Context, worker int, random *rand.Rand) {
	pipe := l.client.Pipeline()
	var judges []func()
	written := map[int]bool{}
	for range l.Depth {
		switch random.IntN(8) {
		case 0, 1:
			// A worker writes only the keys that are its own, each once a round.
			i := random.IntN((l.Keys-worker-1)/l.Workers+1)*l.Workers + worker
			if !written[i] {
				written[i] = true
				judges = append(judges, l.write(ctx, pipe, i))
			}
		case 2:
			judges = append(judges, l.increment(ctx, pipe, random.IntN(l.Counters)))
		default:
			judges = append(judges, l.read(ctx, pipe, random.IntN(l.Keys)))
		}
	}
	if len(judges) == 0 {
		return
	}
	start := time.Now()
	pipe.Exec(ctx) // each command has its own error
	took := time.Since(start)
	for _, judge := range judges {
		judge()
	}
	l.record(len(judges), took)
}

// record counts requests that took so long together.
func (l *Load) record(n int, took time.Duration) {
	l.requests.Add(int64(n))
	l.mu.Lock()
	l.latency.RecordValue(took.Microseconds())
	l.total.RecordValue(took.Microseconds())
	l.mu.Unlock()
}

func (l *Load) write(ctx context.Context, pipe redis.Pipeliner, i int) (judge func()) {
	version := l.keys[i].sent.Add(1)
	cmd := pipe.Set(ctx, keyName(i), l.value(i, version), 0)
	return func() {
		if err := cmd.Err(); err != nil {
			l.note(&l.errors, "SET %s: %v", keyName(i), err)
			return
		}
		l.keys[i].acked.Store(version)
	}
}

func (l *Load) read(ctx context.Context, pipe redis.Pipeliner, i int) (judge func()) {
	low := l.keys[i].acked.Load()
	cmd := pipe.Get(ctx, keyName(i))
	return func() {
		got, err := cmd.Bytes()
		l.judge(i, low, got, err)
	}
}

func (l *Load) increment(ctx context.Context, pipe redis.Pipeliner, i int) (judge func()) {
	low := l.counters[i].acked.Load()
	l.counters[i].sent.Add(1)
	cmd := pipe.Incr(ctx, counterName(i))
	return func() {
		got, err := cmd.Result()
		if err != nil {
			l.note(&l.errors, "INCR %s: %v", counterName(i), err)
			return
		}
		if high := l.counters[i].sent.Load(); got <= low || got > high {
			l.note(&l.wrong, "INCR %s answered %d, want %d to %d", counterName(i), got, low+1, high)
		}
		l.counters[i].acked.Add(1)
	}
}

// judge checks what a read of key i returned when version low was acknowledged
// before it was sent.
func (l *Load) judge(i int, low uint64, got []byte, err error) {
	high := l.keys[i].sent.Load()
	switch {
	case errors.Is(err, redis.Nil):
		l.note(&l.lost, "GET %s: missing, version %d was acknowledged", keyName(i), low)
	case err != nil:
		l.note(&l.errors, "GET %s: %v", keyName(i), err)
	case len(got) != l.Size:
		l.note(&l.wrong, "GET %s: %d bytes, want %d", keyName(i), len(got), l.Size)
	default:
		version := binary.BigEndian.Uint64(got)
		switch {
		case version > high || !bytes.Equal(got, l.value(i, version)):
			l.note(&l.wrong, "GET %s: not what was written (version %d of %d)", keyName(i), version, high)
		case version < low:
			l.note(&l.lost, "GET %s: version %d, but %d was acknowledged", keyName(i), version, low)
		}
	}
}

// note counts a failure and keeps the text of the first few.
func (l *Load) note(count *atomic.Int64, format string, args ...any) {
	count.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.first) < 10 {
		l.first = append(l.first, fmt.Sprintf(format, args...))
	}
}

func keyName(i int) string     { return fmt.Sprintf("value:%08d", i) }
func counterName(i int) string { return fmt.Sprintf("counter:%04d", i) }

// value of a version of key i: the version, then bytes that depend on both.
func (l *Load) value(i int, version uint64) []byte {
	v := make([]byte, 8, l.Size+8)
	binary.BigEndian.PutUint64(v, version)
	for x := uint64(i)<<32 ^ version; len(v) < l.Size; {
		x = x*6364136223846793005 + 1442695040888963407
		v = binary.LittleEndian.AppendUint64(v, x^x>>29)
	}
	return v[:l.Size]
}
