package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/redcon"
)

// request is a parsed command: the operations it needs and how their replies
// are written. One without operations is answered by this machine alone.
type request struct {
	targets []target
	write   func(w *writer, replies []Reply)
}

// command describes one Redis command.
type command struct {
	name  string
	arity int    // arguments with the name; negative: at least so many
	flags string // as COMMAND tells them
	first int    // position of the first key, 0 for none
	last  int    // and of the last, negative from the end
	step  int
	parse func(s *server, args []string) (request, error)
}

// errorf makes an error whose text is sent as it is.
func errorf(format string, args ...any) error { return fmt.Errorf(format, args...) }

var (
	errSyntax  = errorf("ERR syntax error")
	errInteger = errorf("ERR value is not an integer or out of range")
	errTooBig  = errorf("ERR string exceeds maximum allowed size (1 MiB)")
)

// parse turns a command of the wire into a request.
func (s *server) parse(cmd redcon.Command) (request, error) {
	args := make([]string, len(cmd.Args))
	for i, a := range cmd.Args {
		args[i] = string(a)
	}
	c, known := s.commands[strings.ToLower(args[0])]
	if !known {
		return request{}, errorf("ERR unknown command '%.128s'", printable(args[0]))
	}
	if c.arity > 0 && len(args) != c.arity || len(args) < -c.arity {
		return request{}, errorf("ERR wrong number of arguments for '%s' command", c.name)
	}
	return c.parse(s, args)
}

// printable makes s fit on one line of an error reply.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, s)
}

// one is a request of a single operation on a key.
func (s *server) one(op Op, write func(w *writer, r Reply)) request {
	return request{
		targets: []target{{s.store.index(op.Key), op}},
		write:   func(w *writer, replies []Reply) { write(w, replies[0]) },
	}
}

// each is a request of the same operation on every key, whose integer replies
// are added up.
func (s *server) each(do Verb, keys []string) request {
	var targets []target
	for _, key := range keys {
		targets = append(targets, target{s.store.index(key), Op{Do: do, Key: key}})
	}
	return request{targets, sum}
}

// everywhere is a request of the same operation on every shard.
func (s *server) everywhere(do Verb, write func(w *writer, replies []Reply)) request {
	targets := make([]target, len(s.store.shards))
	for i := range targets {
		targets[i] = target{i, Op{Do: do}}
	}
	return request{targets, write}
}

// here is a request that this machine answers alone.
func here(write func(w *writer)) (request, error) {
	return request{write: func(w *writer, _ []Reply) { write(w) }}, nil
}

func sum(w *writer, replies []Reply) {
	n := int64(0)
	for _, r := range replies {
		if r.Kind == Failed {
			w.reply(r)
			return
		}
		n += r.N
	}
	w.Int64(n)
}

// allOK answers OK when every operation was done, or the first failure.
func allOK(w *writer, replies []Reply) {
	for _, r := range replies {
		if r.Kind == Failed {
			w.reply(r)
			return
		}
	}
	w.OK()
}

func parseInt(arg string) (int64, error) {
	n, err := strconv.ParseInt(arg, 10, 64)
	if err != nil {
		return 0, errInteger
	}
	return n, nil
}

// parseExpiry reads a time in the given unit, relative to now unless absolute,
// and returns it in Unix milliseconds.
func parseExpiry(name, arg string, unit time.Duration, absolute bool) (int64, error) {
	n, err := parseInt(arg)
	if err != nil {
		return 0, err
	}
	scale, now := unit.Milliseconds(), time.Now().UnixMilli()
	const limit = 1 << 50
	if n <= 0 || n > limit/scale {
		return 0, errorf("ERR invalid expire time in '%s' command", name)
	}
	if absolute {
		return n * scale, nil
	}
	return now + n*scale, nil
}

// parseSet reads the options of SET.
func parseSet(args []string) (Op, error) {
	op := Op{Do: Set, Key: args[1], Value: args[2]}
	expiring := false
	for i := 3; i < len(args); i++ {
		option := strings.ToUpper(args[i])
		switch option {
		case "NX", "XX":
			if op.If != Always {
				return op, errSyntax
			}
			op.If = map[string]Condition{"NX": IfMissing, "XX": IfPresent}[option]
		case "GET":
			op.Old = true
		case "KEEPTTL":
			if expiring {
				return op, errSyntax
			}
			op.KeepTTL, expiring = true, true
		case "EX", "PX", "EXAT", "PXAT":
			if i++; expiring || i == len(args) {
				return op, errSyntax
			}
			unit := time.Second
			if option[0] == 'P' {
				unit = time.Millisecond
			}
			var err error
			if op.Expires, err = parseExpiry("set", args[i], unit, strings.HasSuffix(option, "AT")); err != nil {
				return op, err
			}
			expiring = true
		default:
			return op, errSyntax
		}
	}
	return op, nil
}
