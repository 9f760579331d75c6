package main

import (
	"strconv"

	"github.com/tidwall/redcon"
)

// session is what the server remembers of a connection.
type session struct {
	id       int64
	protocol int // RESP version, 2 or 3
	name     string
}

// writer sends replies on a connection in the protocol version of its session.
type writer struct {
	conn redcon.Conn
	*session
}

func (w *writer) OK()             { w.conn.WriteString("OK") }
func (w *writer) Simple(s string) { w.conn.WriteString(s) }
func (w *writer) Bulk(s string)   { w.conn.WriteBulkString(s) }
func (w *writer) Int64(n int64)   { w.conn.WriteInt64(n) }
func (w *writer) Array(n int)     { w.conn.WriteArray(n) }
func (w *writer) Error(e error)   { w.conn.WriteError(e.Error()) }

// Null is the absent value: a null of RESP3, a null bulk string before.
func (w *writer) Null() {
	if w.protocol == 3 {
		w.conn.WriteRaw([]byte("_\r\n"))
	} else {
		w.conn.WriteNull()
	}
}

// Map announces n pairs: a map of RESP3, a flat array before.
func (w *writer) Map(n int) {
	if w.protocol == 3 {
		w.conn.WriteRaw([]byte("%" + strconv.Itoa(n) + "\r\n"))
	} else {
		w.conn.WriteArray(2 * n)
	}
}

// reply writes r in the form that most commands use.
func (w *writer) reply(r Reply) {
	switch r.Kind {
	case Nil:
		w.Null()
	case OK:
		w.OK()
	case Int:
		w.Int64(r.N)
	case Text:
		w.Bulk(r.Text)
	case Failed:
		w.conn.WriteError(r.Text)
	default:
		w.conn.WriteError("ERR unexpected reply of a shard")
	}
}

// done writes 1 for a Set that happened and 0 for one that did not.
func (w *writer) done(r Reply) {
	switch r.Kind {
	case OK:
		w.Int64(1)
	case Nil:
		w.Int64(0)
	default:
		w.reply(r)
	}
}
