package main

import (
	"fmt"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/tidwall/match"
)

// compatible is the Redis version whose commands are followed.
const compatible = "7.0.0"

// info is INFO: what a monitoring client wants to know of this machine.
func info(s *server, a []string) (request, error) {
	wanted := func(section string) bool {
		if len(a) == 1 {
			return true
		}
		for _, name := range a[1:] {
			switch strings.ToLower(name) {
			case section, "all", "default", "everything":
				return true
			}
		}
		return false
	}
	r := s.everywhere(Count, nil)
	if !wanted("keyspace") {
		r.targets = nil
	}
	r.write = func(w *writer, replies []Reply) {
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		up := int64(time.Since(s.started).Seconds())
		self := s.rack.Self()
		keys := int64(0)
		for _, reply := range replies {
			if reply.Kind == Failed {
				w.reply(reply)
				return
			}
			keys += reply.N
		}
		var b strings.Builder
		section := func(name, format string, args ...any) {
			if wanted(strings.ToLower(name)) {
				fmt.Fprintf(&b, "# %s\r\n"+strings.ReplaceAll(format, "\n", "\r\n")+"\r\n\r\n", append([]any{name}, args...)...)
			}
		}
		section("Server", "redis_version:%s\nredis_mode:standalone\nos:nuos\narch_bits:64\ngo_version:%s\nuptime_in_seconds:%d", compatible, runtime.Version(), up)
		section("Clients", "connected_clients:%d", s.clients.Load())
		section("Memory", "used_memory:%d\nused_memory_heap:%d", mem.Sys, mem.HeapAlloc)
		section("Stats", "total_connections_received:%d\ntotal_commands_processed:%d", s.nextID.Load(), s.requests.Load())
		section("Replication", "role:master\nconnected_slaves:0")
		section("Rack", "machine:%v\nmachines:%d\nshards:%d", self.ID, len(s.rack.Members()), len(s.store.shards))
		section("Keyspace", "db0:keys=%d,expires=0,avg_ttl=0", keys)
		w.Bulk(b.String())
	}
	return r, nil
}

// config is CONFIG GET for what clients and benchmarks ask. Nothing can be set.
func config(s *server, a []string) (request, error) {
	values := map[string]string{
		"save": "", "appendonly": "no", "maxmemory": "0", "databases": "1", "proto-max-bulk-len": "1048576",
	}
	switch strings.ToLower(a[1]) {
	case "get":
		if len(a) < 3 {
			return request{}, errorf("ERR wrong number of arguments for 'config|get' command")
		}
	case "resetstat":
		s.requests.Store(0)
		return here((*writer).OK)
	default:
		return request{}, errorf("ERR CONFIG %s is not supported: configuration is fixed at boot", printable(strings.ToUpper(a[1])))
	}
	var names []string
	for name := range values {
		for _, pattern := range a[2:] {
			if match.Match(name, strings.ToLower(pattern)) {
				names = append(names, name)
				break
			}
		}
	}
	sort.Strings(names)
	return here(func(w *writer) {
		w.Map(len(names))
		for _, name := range names {
			w.Bulk(name)
			w.Bulk(values[name])
		}
	})
}

// describe is COMMAND and its subcommands.
func describe(s *server, a []string) (request, error) {
	var names []string
	for name := range s.commands {
		names = append(names, name)
	}
	sort.Strings(names)
	if len(a) > 1 {
		switch strings.ToLower(a[1]) {
		case "count":
			return here(func(w *writer) { w.Int64(int64(len(names))) })
		case "info":
			if len(a) > 2 {
				names = a[2:]
			}
		case "list":
			return here(func(w *writer) {
				w.Array(len(names))
				for _, name := range names {
					w.Bulk(name)
				}
			})
		case "docs":
			return here(func(w *writer) { w.Map(0) })
		default:
			return request{}, errorf("ERR unknown subcommand '%.128s'", printable(a[1]))
		}
	}
	return here(func(w *writer) {
		w.Array(len(names))
		for _, name := range names {
			c := s.commands[strings.ToLower(name)]
			if c == nil {
				w.Null()
				continue
			}
			w.Array(6)
			w.Bulk(c.name)
			w.Int64(int64(c.arity))
			flags := strings.Fields(c.flags)
			w.Array(len(flags))
			for _, flag := range flags {
				w.Simple(flag)
			}
			w.Int64(int64(c.first))
			w.Int64(int64(c.last))
			w.Int64(int64(c.step))
		}
	})
}

// client is CLIENT: names and numbers of this connection.
func client(s *server, a []string) (request, error) {
	sub := strings.ToLower(a[1])
	switch {
	case sub == "id" && len(a) == 2:
		return here(func(w *writer) { w.Int64(w.id) })
	case sub == "getname" && len(a) == 2:
		return here(func(w *writer) {
			if w.name == "" {
				w.Null()
			} else {
				w.Bulk(w.name)
			}
		})
	case sub == "setname" && len(a) == 3:
		if strings.ContainsAny(a[2], " \n\r") {
			return request{}, errorf("ERR Client names cannot contain spaces, newlines or special characters.")
		}
		return here(func(w *writer) {
			w.name = a[2]
			w.OK()
		})
	case sub == "setinfo" && len(a) == 4:
		return here((*writer).OK)
	case (sub == "info" || sub == "list") && len(a) == 2:
		return here(func(w *writer) {
			w.Bulk(fmt.Sprintf("id=%d addr=%s name=%s resp=%d\n", w.id, w.conn.RemoteAddr(), w.name, w.protocol))
		})
	}
	return request{}, errorf("ERR unknown subcommand or wrong number of arguments for '%.128s'", printable(a[1]))
}

// hello is HELLO: it chooses the protocol version and tells who answers.
func hello(s *server, a []string) (request, error) {
	protocol := int64(0)
	name, rename := "", false
	if len(a) > 1 {
		var err error
		if protocol, err = parseInt(a[1]); err != nil {
			return request{}, errorf("ERR Protocol version is not an integer or out of range")
		}
		if protocol != 2 && protocol != 3 {
			return request{}, errorf("NOPROTO unsupported protocol version")
		}
	}
	for i := 2; i < len(a); i++ {
		switch option := strings.ToLower(a[i]); {
		case option == "setname" && i+1 < len(a):
			i++
			name, rename = a[i], true
		case option == "auth" && i+2 < len(a):
			return request{}, errorf("ERR AUTH called without any password configured: nuos has none")
		default:
			return request{}, errSyntax
		}
	}
	return here(func(w *writer) {
		if protocol != 0 {
			w.protocol = int(protocol)
		}
		if rename {
			w.name = name
		}
		w.Map(7)
		w.Bulk("server")
		w.Bulk("redis")
		w.Bulk("version")
		w.Bulk(compatible)
		w.Bulk("proto")
		w.Int64(int64(w.protocol))
		w.Bulk("id")
		w.Int64(w.id)
		w.Bulk("mode")
		w.Bulk("standalone")
		w.Bulk("role")
		w.Bulk("master")
		w.Bulk("modules")
		w.Array(0)
	})
}
