package main

import (
	"strings"
	"time"
)

// newCommands lists what the server understands.
func newCommands() map[string]*command {
	all := []*command{
		{"get", 2, "readonly fast", 1, 1, 1, func(s *server, a []string) (request, error) {
			return s.one(Op{Do: Get, Key: a[1]}, (*writer).reply), nil
		}},
		{"getdel", 2, "write fast", 1, 1, 1, func(s *server, a []string) (request, error) {
			return s.one(Op{Do: GetDel, Key: a[1]}, (*writer).reply), nil
		}},
		{"set", -3, "write denyoom", 1, 1, 1, func(s *server, a []string) (request, error) {
			op, err := parseSet(a)
			return s.set(op, err, (*writer).reply)
		}},
		{"getset", 3, "write denyoom", 1, 1, 1, func(s *server, a []string) (request, error) {
			return s.set(Op{Do: Set, Key: a[1], Value: a[2], Old: true}, nil, (*writer).reply)
		}},
		{"setnx", 3, "write denyoom fast", 1, 1, 1, func(s *server, a []string) (request, error) {
			return s.set(Op{Do: Set, Key: a[1], Value: a[2], If: IfMissing}, nil, (*writer).done)
		}},
		{"setex", 4, "write denyoom", 1, 1, 1, setExpiring(time.Second)},
		{"psetex", 4, "write denyoom", 1, 1, 1, setExpiring(time.Millisecond)},
		{"mget", -2, "readonly fast", 1, -1, 1, func(s *server, a []string) (request, error) {
			r := s.each(Get, a[1:])
			r.write = func(w *writer, replies []Reply) {
				w.Array(len(replies))
				for _, reply := range replies {
					w.reply(reply)
				}
			}
			return r, nil
		}},
		{"mset", -3, "write denyoom", 1, -1, 2, func(s *server, a []string) (request, error) {
			if len(a)%2 == 0 {
				return request{}, errorf("ERR wrong number of arguments for 'mset' command")
			}
			r := request{write: allOK}
			for i := 1; i < len(a); i += 2 {
				if len(a[i+1]) > maxValue {
					return r, errTooBig
				}
				r.targets = append(r.targets, target{s.store.index(a[i]), Op{Do: Set, Key: a[i], Value: a[i+1]}})
			}
			return r, nil
		}},
		{"del", -2, "write", 1, -1, 1, func(s *server, a []string) (request, error) { return s.each(Delete, a[1:]), nil }},
		{"unlink", -2, "write fast", 1, -1, 1, func(s *server, a []string) (request, error) { return s.each(Delete, a[1:]), nil }},
		{"exists", -2, "readonly fast", 1, -1, 1, func(s *server, a []string) (request, error) { return s.each(Exists, a[1:]), nil }},
		{"incr", 2, "write denyoom fast", 1, 1, 1, add(+1)},
		{"decr", 2, "write denyoom fast", 1, 1, 1, add(-1)},
		{"incrby", 3, "write denyoom fast", 1, 1, 1, add(+1)},
		{"decrby", 3, "write denyoom fast", 1, 1, 1, add(-1)},
		{"append", 3, "write denyoom fast", 1, 1, 1, func(s *server, a []string) (request, error) {
			if len(a[2]) > maxValue {
				return request{}, errTooBig
			}
			return s.one(Op{Do: Append, Key: a[1], Value: a[2]}, (*writer).reply), nil
		}},
		{"strlen", 2, "readonly fast", 1, 1, 1, func(s *server, a []string) (request, error) {
			return s.one(Op{Do: Length, Key: a[1]}, (*writer).reply), nil
		}},
		{"expire", 3, "write fast", 1, 1, 1, expire(time.Second, false)},
		{"pexpire", 3, "write fast", 1, 1, 1, expire(time.Millisecond, false)},
		{"expireat", 3, "write fast", 1, 1, 1, expire(time.Second, true)},
		{"pexpireat", 3, "write fast", 1, 1, 1, expire(time.Millisecond, true)},
		{"persist", 2, "write fast", 1, 1, 1, func(s *server, a []string) (request, error) {
			return s.one(Op{Do: Persist, Key: a[1]}, (*writer).reply), nil
		}},
		{"ttl", 2, "readonly fast", 1, 1, 1, ttl(time.Second)},
		{"pttl", 2, "readonly fast", 1, 1, 1, ttl(time.Millisecond)},
		{"type", 2, "readonly fast", 1, 1, 1, func(s *server, a []string) (request, error) {
			return s.one(Op{Do: Exists, Key: a[1]}, func(w *writer, r Reply) {
				switch {
				case r.Kind == Failed:
					w.reply(r)
				case r.N == 0:
					w.Simple("none")
				default:
					w.Simple("string")
				}
			}), nil
		}},
		{"dbsize", 1, "readonly fast", 0, 0, 0, func(s *server, a []string) (request, error) { return s.everywhere(Count, sum), nil }},
		{"flushall", -1, "write", 0, 0, 0, flush},
		{"flushdb", -1, "write", 0, 0, 0, flush},
		{"scan", -2, "readonly", 0, 0, 0, scan},
		{"ping", -1, "fast", 0, 0, 0, ping},
		{"echo", 2, "fast", 0, 0, 0, func(s *server, a []string) (request, error) { return here(func(w *writer) { w.Bulk(a[1]) }) }},
		{"select", 2, "fast", 0, 0, 0, func(s *server, a []string) (request, error) {
			if a[1] != "0" {
				return request{}, errorf("ERR DB index is out of range")
			}
			return here((*writer).OK)
		}},
		{"info", -1, "readonly", 0, 0, 0, info},
		{"config", -2, "admin", 0, 0, 0, config},
		{"command", -1, "readonly", 0, 0, 0, describe},
		{"client", -2, "admin", 0, 0, 0, client},
		{"hello", -1, "fast", 0, 0, 0, hello},
		{"quit", -1, "fast", 0, 0, 0, func(s *server, a []string) (request, error) {
			return here(func(w *writer) {
				w.OK()
				w.conn.Close()
			})
		}},
	}
	commands := make(map[string]*command, len(all))
	for _, c := range all {
		commands[c.name] = c
	}
	return commands
}

// set checks the value's size before it makes a request of op.
func (s *server) set(op Op, err error, write func(*writer, Reply)) (request, error) {
	if err == nil && len(op.Value) > maxValue {
		err = errTooBig
	}
	if err != nil {
		return request{}, err
	}
	return s.one(op, write), nil
}

func setExpiring(unit time.Duration) func(*server, []string) (request, error) {
	return func(s *server, a []string) (request, error) {
		at, err := parseExpiry(strings.ToLower(a[0]), a[2], unit, false)
		return s.set(Op{Do: Set, Key: a[1], Value: a[3], Expires: at}, err, (*writer).reply)
	}
}

func add(sign int64) func(*server, []string) (request, error) {
	return func(s *server, a []string) (request, error) {
		n := int64(1)
		if len(a) == 3 {
			var err error
			if n, err = parseInt(a[2]); err != nil {
				return request{}, err
			}
			if sign < 0 && n == -n && n != 0 {
				return request{}, errorf("ERR decrement would overflow")
			}
		}
		return s.one(Op{Do: Add, Key: a[1], N: sign * n}, (*writer).reply), nil
	}
}

func expire(unit time.Duration, absolute bool) func(*server, []string) (request, error) {
	return func(s *server, a []string) (request, error) {
		if len(a) != 3 {
			return request{}, errSyntax
		}
		n, err := parseInt(a[2])
		if err != nil {
			return request{}, err
		}
		at := int64(1) // the past: the key goes
		if n > 0 {
			if at, err = parseExpiry(strings.ToLower(a[0]), a[2], unit, absolute); err != nil {
				return request{}, err
			}
		}
		return s.one(Op{Do: Expire, Key: a[1], Expires: at}, (*writer).reply), nil
	}
}

func ttl(unit time.Duration) func(*server, []string) (request, error) {
	return func(s *server, a []string) (request, error) {
		return s.one(Op{Do: Expires, Key: a[1]}, func(w *writer, r Reply) {
			switch {
			case r.Kind == Failed:
				w.reply(r)
			case r.N == 0:
				w.Int64(-1)
			case r.N < 0:
				w.Int64(r.N)
			default:
				left := max(r.N-time.Now().UnixMilli(), 0)
				w.Int64((left + unit.Milliseconds()/2) / unit.Milliseconds())
			}
		}), nil
	}
}

func flush(s *server, a []string) (request, error) {
	if len(a) > 2 || len(a) == 2 && !strings.EqualFold(a[1], "ASYNC") && !strings.EqualFold(a[1], "SYNC") {
		return request{}, errSyntax
	}
	return s.everywhere(Flush, allOK), nil
}

func ping(s *server, a []string) (request, error) {
	if len(a) > 2 {
		return request{}, errorf("ERR wrong number of arguments for 'ping' command")
	}
	return here(func(w *writer) {
		if len(a) == 2 {
			w.Bulk(a[1])
		} else {
			w.Simple("PONG")
		}
	})
}
