package load

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/redcon"
)

// serve runs a small store, with or without a fault, and returns its address.
func serve(t *testing.T, fault string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var mu sync.Mutex
	data := map[string]string{}
	sets := 0
	go redcon.Serve(listener, func(conn redcon.Conn, cmd redcon.Command) {
		mu.Lock()
		defer mu.Unlock()
		switch string(cmd.Args[0]) {
		case "hello":
			conn.WriteError("ERR unknown command")
		case "set", "SET":
			sets++
			value := string(cmd.Args[2])
			switch {
			case sets%97 == 0 && fault == "drops writes":
			case sets%97 == 0 && fault == "damages writes":
				data[string(cmd.Args[1])] = value[:8] + "x" + value[9:]
			case sets%97 == 0 && fault == "fails":
				conn.WriteError("ERR broken")
				return
			default:
				data[string(cmd.Args[1])] = value
			}
			conn.WriteString("OK")
		case "get", "GET":
			if v, ok := data[string(cmd.Args[1])]; ok {
				conn.WriteBulkString(v)
			} else {
				conn.WriteNull()
			}
		case "incr", "INCR":
			n, _ := strconv.Atoi(data[string(cmd.Args[1])])
			sets++
			n++
			if sets%97 == 0 && fault == "increments twice" {
				n++
			}
			data[string(cmd.Args[1])] = strconv.Itoa(n)
			conn.WriteInt(n)
		default:
			conn.WriteString("OK")
		}
	}, nil, nil)
	return listener.Addr().String()
}

// TestLoad runs the load against a store that is right and against stores that
// are wrong in one way each: the first must pass and no other may.
func TestLoad(t *testing.T) {
	tests := []struct {
		fault string
		check func(Stats) bool
	}{
		{"", func(s Stats) bool { return s.Errors == 0 && s.Lost == 0 && s.Wrong == 0 }},
		{"drops writes", func(s Stats) bool { return s.Lost > 0 }},
		{"damages writes", func(s Stats) bool { return s.Wrong > 0 }},
		{"increments twice", func(s Stats) bool { return s.Wrong > 0 }},
		{"fails", func(s Stats) bool { return s.Errors > 0 }},
	}
	for _, test := range tests {
		t.Run(fmt.Sprintf("fault=%q", test.fault), func(t *testing.T) {
			l := &Load{Addr: serve(t, test.fault), Seed: 1, Keys: 90, Size: 100, Counters: 3, Workers: 4, Depth: 8}
			l.Open()
			defer l.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := l.Ready(ctx); err != nil {
				t.Fatal(err)
			}
			if err := l.Fill(ctx, func(int) {}); err != nil {
				t.Fatal(err)
			}
			running, stop := context.WithCancel(ctx)
			go func() {
				for l.Stats().Requests < 4000 && ctx.Err() == nil {
					time.Sleep(time.Millisecond) // until there is enough to judge
				}
				stop()
			}()
			l.Run(running)
			if err := l.Verify(ctx); err != nil {
				t.Fatal(err)
			}
			if s := l.Stats(); !test.check(s) || s.Requests < 4000 {
				t.Errorf("stats %+v, failures %q", s, l.Failures())
			}
		})
	}
}

// TestRunAt compares the rate of requests, and times that count from when they were due: one that waits for
// another has taken that long, too.
func TestRunAt(t *testing.T) {
	l := &Load{Addr: serve(t, ""), Seed: 1, Keys: 50, Fresh: 20, Size: 100, Counters: 3, Workers: 4}
	l.Open()
	defer l.Close()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	if err := l.Fill(ctx, func(int) {}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var first, last time.Time
	n := 0
	running, enough := context.WithCancel(ctx)
	l.RunAt(running, 2000, func(a Answer) {
		mu.Lock()
		defer mu.Unlock()
		if n++; n == 1 {
			first = a.Due
			time.Sleep(20 * time.Millisecond) // that holds up all, and is not their fault
		}
		last = a.Due
		if a.Took <= 0 {
			t.Errorf("a request took %v", a.Took)
		}
		if n == 2000 {
			enough()
		}
	})
	if rate := float64(n) / last.Sub(first).Seconds(); rate < 1800 || rate > 2200 {
		t.Errorf("%d requests were due in %v; want 2000 a second", n, last.Sub(first))
	}
	if err := l.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	if s := l.Stats(); s.Errors+s.Lost+s.Wrong != 0 || s.Requests != int64(n) || l.fresh.Load() < 20 {
		t.Errorf("%+v, %d fresh keys; failures %q", s, l.fresh.Load(), l.Failures())
	}
}
