package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"nuos/qemu"
)

// do runs a command and writes its reply as text.
func do(ctx context.Context, c *redis.Client, args ...any) string {
	v, err := c.Do(ctx, args...).Result()
	switch {
	case err == redis.Nil:
		return "nil"
	case err != nil:
		return "error: " + err.Error()
	}
	return fmt.Sprintf("%v", v)
}

func connect(t *testing.T, address string, protocol int) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: address, Protocol: protocol, MaxRetries: -1, PoolSize: 1,
		ReadTimeout: time.Minute, DialTimeout: time.Minute})
	t.Cleanup(func() { c.Close() })
	return c
}

// TestCommands asks a rack of one machine everything that has one right answer.
func TestCommands(t *testing.T) {
	r := start(t, qemu.Options{Hosted: true})
	ctx := t.Context()
	c := connect(t, r.Listen()[0], 2)
	for _, test := range []struct{ command, want string }{
		{"PING", "PONG"},
		{"PING hello", "hello"},
		{"ECHO hello", "hello"},
		{"GET a", "nil"},
		{"SET a 1", "OK"},
		{"GET a", "1"},
		{"SET a 2 NX", "nil"},
		{"SET b 2 XX", "nil"},
		{"SET a 2 XX GET", "1"},
		{"SET n 2 NX GET", "nil"},
		{"SETNX a 5", "0"},
		{"SETNX c 5", "1"},
		{"GETSET c 6", "5"},
		{"GETDEL c", "6"},
		{"EXISTS c a a", "2"},
		{"INCR a", "3"},
		{"INCRBY a 10", "13"},
		{"DECR a", "12"},
		{"DECRBY a 20", "-8"},
		{"APPEND a x", "3"},
		{"INCR a", "error: ERR value is not an integer or out of range"},
		{"STRLEN a", "3"},
		{"STRLEN missing", "0"},
		{"SET big 9223372036854775807", "OK"},
		{"INCR big", "error: ERR increment or decrement would overflow"},
		{"MSET k1 v1 k2 v2 k3 v3", "OK"},
		{"MGET k1 missing k3", "[v1 <nil> v3]"},
		{"DEL k1 k2 missing", "2"},
		{"TYPE k3", "string"},
		{"TYPE k1", "none"},
		{"TTL k3", "-1"},
		{"TTL k1", "-2"},
		{"EXPIRE k3 100", "1"},
		{"TTL k3", "100"},
		{"PERSIST k3", "1"},
		{"TTL k3", "-1"},
		{"EXPIRE k3 -1", "1"},
		{"EXISTS k3", "0"},
		{"SET e v EX 100", "OK"},
		{"SET e w KEEPTTL", "OK"},
		{"TTL e", "100"},
		{"SET e w", "OK"},
		{"TTL e", "-1"},
		{"SET e v EX 0", "error: ERR invalid expire time in 'set' command"},
		{"SET e v EX", "error: ERR syntax error"},
		{"SET e v EX x", "error: ERR value is not an integer or out of range"},
		{"SET e v NX XX", "error: ERR syntax error"},
		{"GET", "error: ERR wrong number of arguments for 'get' command"},
		{"MSET a", "error: ERR wrong number of arguments for 'mset' command"},
		{"NOSUCH a", "error: ERR unknown command 'NOSUCH'"},
		{"DBSIZE", "4"},
		{"CONFIG GET appendonly", "[appendonly no]"},
		{"CLIENT SETNAME me", "OK"},
		{"CLIENT GETNAME", "me"},
		{"SELECT 0", "OK"},
		{"SELECT 1", "error: ERR DB index is out of range"},
		{"FLUSHALL", "OK"},
		{"DBSIZE", "0"},
	} {
		var args []any
		for _, a := range strings.Fields(test.command) {
			args = append(args, a)
		}
		if got := do(ctx, c, args...); got != test.want {
			t.Errorf("%s: %s, want %s", test.command, got, test.want)
		}
	}
	t.Run("values", func(t *testing.T) { checkValues(t, c) })
	t.Run("expiry", func(t *testing.T) { checkExpiry(t, c) })
	t.Run("scan", func(t *testing.T) { checkScan(t, c) })
	t.Run("pipeline", func(t *testing.T) { checkPipeline(t, c) })
	t.Run("RESP3", func(t *testing.T) { checkRESP3(t, connect(t, r.Listen()[0], 3)) })
}

// checkValues stores values of sizes up to the largest, and one beyond it.
func checkValues(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	random := rand.NewChaCha8([32]byte{1})
	for _, size := range []int{0, 1, 4095, 4096, 65536, 1<<20 - 1, 1 << 20} {
		value := make([]byte, size)
		random.Read(value)
		if err := c.Set(ctx, "v", value, 0).Err(); err != nil {
			t.Errorf("SET of %d bytes: %v", size, err)
		}
		if got, err := c.Get(ctx, "v").Bytes(); err != nil || string(got) != string(value) {
			t.Errorf("GET of %d bytes: %d bytes, %v", size, len(got), err)
		}
	}
	if err := c.Set(ctx, "v", make([]byte, 1<<20+1), 0).Err(); err == nil {
		t.Error("a value of more than 1 MiB was taken")
	}
	if n, err := c.StrLen(ctx, "v").Result(); n != 1<<20 || err != nil {
		t.Errorf("a refused value changed the old one: %d bytes, %v", n, err)
	}
}

// checkExpiry waits until keys expire.
func checkExpiry(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	c.Set(ctx, "x", 1, 50*time.Millisecond)
	c.Set(ctx, "y", 1, 0)
	c.PExpire(ctx, "y", 50*time.Millisecond)
	for _, key := range []string{"x", "y"} {
		for c.Exists(ctx, key).Val() == 1 {
			if ttl := c.PTTL(ctx, key).Val(); ttl > 50*time.Millisecond {
				t.Fatalf("%s has %v to live", key, ttl)
			}
		}
		if err := c.Get(ctx, key).Err(); err != redis.Nil {
			t.Errorf("GET of the expired %s: %v", key, err)
		}
	}
}

// checkScan finds every key exactly once while others come and go.
func checkScan(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	c.FlushAll(ctx)
	const stay = 500
	for i := range stay {
		c.Set(ctx, fmt.Sprintf("stay:%d", i), i, 0)
	}
	seen := map[string]int{}
	for cursor, i := uint64(0), 0; ; i++ {
		keys, next, err := c.Scan(ctx, cursor, "stay:*", 7).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			seen[key]++
		}
		c.Set(ctx, fmt.Sprintf("go:%d", i), i, 0)
		c.Del(ctx, fmt.Sprintf("go:%d", i-3))
		if cursor = next; cursor == 0 {
			break
		}
	}
	if len(seen) != stay {
		t.Errorf("SCAN found %d keys, want %d", len(seen), stay)
	}
	for key, n := range seen {
		if n != 1 {
			t.Errorf("SCAN returned %s %d times", key, n)
		}
	}
}

// checkPipeline sends dependent commands without waiting.
func checkPipeline(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	p := c.Pipeline()
	var replies []*redis.IntCmd
	for i := range 100 {
		key := fmt.Sprintf("p:%d", i%10)
		if i < 10 {
			p.Del(ctx, key)
		}
		replies = append(replies, p.Incr(ctx, key))
	}
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	for i, r := range replies {
		if want := int64(i/10 + 1); r.Val() != want {
			t.Errorf("reply %d is %d, want %d", i, r.Val(), want)
		}
	}
}

// checkRESP3 sees maps and nulls of the newer protocol.
func checkRESP3(t *testing.T, c *redis.Client) {
	ctx := t.Context()
	if got := do(ctx, c, "CONFIG", "GET", "save"); got != "map[save:]" {
		t.Errorf("CONFIG GET is %s, want a map", got)
	}
	if got := do(ctx, c, "GET", "missing"); got != "nil" {
		t.Errorf("GET of a missing key is %s", got)
	}
}

// TestLikeRedis sends the same random commands to a rack and to Redis itself and
// compares the replies.
func TestLikeRedis(t *testing.T) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed (make test installs it): nothing to compare with")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, redisPort, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	server := exec.Command(path, "--port", redisPort, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer server.Process.Kill()

	r := start(t, qemu.Options{Hosted: true, Machines: 2})
	ours, theirs := connect(t, r.Listen()[0], 2), connect(t, "127.0.0.1:"+redisPort, 2)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for theirs.Ping(ctx).Err() != nil && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond) // until it listens
	}
	const seed = 7
	random := rand.New(rand.NewPCG(seed, 0))
	key := func() any { return fmt.Sprintf("k%d", random.IntN(20)) }
	value := func() any {
		return []any{"", "x", "17", "-3", "9223372036854775800", strings.Repeat("v", random.IntN(3000)), "1.5"}[random.IntN(7)]
	}
	commands := []func() []any{
		func() []any { return []any{"GET", key()} },
		func() []any { return []any{"SET", key(), value()} },
		func() []any { return []any{"SET", key(), value(), "NX"} },
		func() []any { return []any{"SET", key(), value(), "XX", "GET"} },
		func() []any { return []any{"SET", key(), value(), "EX", 1000, "KEEPTTL"} },
		func() []any { return []any{"SET", key(), value(), "EX", random.IntN(3) * 1000} },
		func() []any { return []any{"SETEX", key(), random.IntN(3) * 1000, value()} },
		func() []any { return []any{"GETSET", key(), value()} },
		func() []any { return []any{"GETDEL", key()} },
		func() []any { return []any{"SETNX", key(), value()} },
		func() []any { return []any{"INCR", key()} },
		func() []any { return []any{"INCRBY", key(), value()} },
		func() []any { return []any{"DECRBY", key(), random.IntN(100)} },
		func() []any { return []any{"APPEND", key(), value()} },
		func() []any { return []any{"STRLEN", key()} },
		func() []any { return []any{"MSET", key(), value(), key(), value()} },
		func() []any { return []any{"MGET", key(), key(), key()} },
		func() []any { return []any{"DEL", key(), key()} },
		func() []any { return []any{"EXISTS", key(), key(), key()} },
		func() []any { return []any{"EXPIRE", key(), (random.IntN(3) - 1) * 1000} },
		func() []any { return []any{"PERSIST", key()} },
		func() []any { return []any{"TTL", key()} },
		func() []any { return []any{"TYPE", key()} },
		func() []any { return []any{"DBSIZE"} },
		func() []any { return []any{"ECHO", value()} },
		func() []any { return []any{"GET"} },
		func() []any { return []any{"EXPIRE", key(), "soon"} },
	}
	for i := range 4000 {
		args := commands[random.IntN(len(commands))]()
		got, want := do(ctx, ours, args...), do(ctx, theirs, args...)
		if got != want {
			t.Fatalf("seed %d, command %d: %.200v: %.200s, Redis says %.200s", seed, i, args, got, want)
		}
	}
}
