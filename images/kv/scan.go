package main

import (
	"strconv"
	"strings"

	"github.com/tidwall/match"
)

// scan reads one page of one shard. The cursor holds the shard's number above
// scanBits and the position of the last key seen below.
func scan(s *server, a []string) (request, error) {
	cursor, err := strconv.ParseUint(a[1], 10, 64)
	shard := int(cursor >> scanBits)
	if err != nil || shard >= len(s.store.shards) {
		return request{}, errorf("ERR invalid cursor")
	}
	pattern, count, kind := "*", int64(10), "string"
	for i := 2; i < len(a); i += 2 {
		if i+1 == len(a) {
			return request{}, errSyntax
		}
		switch strings.ToUpper(a[i]) {
		case "MATCH":
			pattern = a[i+1]
		case "COUNT":
			if count, err = parseInt(a[i+1]); err != nil || count < 1 {
				return request{}, errSyntax
			}
		case "TYPE":
			kind = strings.ToLower(a[i+1])
		default:
			return request{}, errSyntax
		}
	}
	op := Op{Do: Scan, N: count, Cursor: cursor & (1<<scanBits - 1)}
	write := func(w *writer, replies []Reply) {
		page := replies[0]
		if page.Kind != Page {
			w.reply(page)
			return
		}
		next := uint64(shard)<<scanBits | uint64(page.N)
		if page.N == 0 {
			next = uint64(shard+1) << scanBits
			if shard+1 == len(s.store.shards) {
				next = 0
			}
		}
		keys := page.Keys[:0]
		for _, key := range page.Keys {
			if kind == "string" && match.Match(key, pattern) {
				keys = append(keys, key)
			}
		}
		w.Array(2)
		w.Bulk(strconv.FormatUint(next, 10))
		w.Array(len(keys))
		for _, key := range keys {
			w.Bulk(key)
		}
	}
	return request{[]target{{shard, op}}, write}, nil
}
