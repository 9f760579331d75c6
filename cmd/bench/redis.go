package main

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisMigrate moves a value, and as many bytes in many keys, from one Redis to another with
// one MIGRATE, which returns when they are there and here no more.
func redisMigrate(ctx context.Context, b *bench) (string, error) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		return "", leaveOut("redis-server is not installed")
	}
	var servers [2]*redisServer
	for side := range servers {
		s, err := startRedis(ctx, b, side)
		if err != nil {
			return "", err
		}
		defer s.stop()
		servers[side] = s
	}
	var text strings.Builder
	for _, size := range []int{64 << 10, 1 << 20, 16 << 20} {
		for _, each := range []int{size, 100} {
			took, err := migrateKeys(ctx, servers, size, each)
			if err != nil {
				return "", fmt.Errorf("%d bytes in values of %d: %w", size, each, err)
			}
			name := fmt.Sprintf("PeerMove/peer=redis-migrate/bytes=%d", size)
			if each < size {
				name += fmt.Sprintf("/values=%d", each)
			}
			fmt.Fprintf(&text, "Benchmark%s\t%d\t%d ns/op\n", name, len(took), took[len(took)/2])
		}
	}
	return text.String(), nil
}

// migrateKeys returns how long moves of so many bytes take, sorted. Moves back do not count.
func migrateKeys(ctx context.Context, servers [2]*redisServer, size, each int) ([]time.Duration, error) {
	n := (size + each - 1) / each
	value, keys := strings.Repeat("v", each), make([]any, n)
	fill := servers[0].client.Pipeline()
	for i := range keys {
		key := fmt.Sprintf("key:%08d", i)
		keys[i] = key
		fill.Set(ctx, key, value, 0)
	}
	if _, err := fill.Exec(ctx); err != nil {
		return nil, err
	}
	repeats := min(max(4<<20/size, 2), 10)
	var took []time.Duration
	for i := range 2 * repeats {
		from, to := servers[i%2], servers[1-i%2]
		args := append([]any{"MIGRATE", "127.0.0.1", to.port, "", 0, 60_000, "KEYS"}, keys...)
		start := time.Now()
		if answer, err := from.client.Do(ctx, args...).Text(); err != nil || answer != "OK" {
			return nil, fmt.Errorf("MIGRATE: %q, %w", answer, err)
		}
		if i%2 == 0 {
			took = append(took, time.Since(start))
		}
	}
	left, err := servers[0].client.DBSize(ctx).Result()
	if err != nil || left != int64(n) {
		return nil, fmt.Errorf("%d keys of %d came back: %w", left, n, err)
	}
	slices.Sort(took)
	return took, servers[0].client.FlushAll(ctx).Err()
}

type redisServer struct {
	port    int
	client  *redis.Client
	process *exec.Cmd
}

// startRedis starts a server that keeps nothing on disk.
func startRedis(ctx context.Context, b *bench, side int) (*redisServer, error) {
	folder, err := b.folder()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &redisServer{port: l.Addr().(*net.TCPAddr).Port}
	l.Close() // the server takes the port that was free
	s.process = b.pinned(ctx, side, "redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port),
		"--dir", folder, "--save", "", "--appendonly", "no")
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	s.client = redis.NewClient(&redis.Options{
		Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)), ReadTimeout: time.Minute, WriteTimeout: time.Minute,
	})
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := s.client.Ping(ctx).Err()
		if err == nil {
			return s, nil
		}
		if time.Since(start) > 10*time.Second {
			s.stop()
			return nil, fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
}

func (s *redisServer) stop() {
	s.client.Close()
	s.process.Process.Kill()
	s.process.Wait()
}
