// Package answer asks and answers on the network while it is initialized.
package answer

import (
	"io"
	"net"
)

// Heard is what came as an answer, Err what went wrong.
var (
	Heard string
	Err   error
)

var listener, failed = net.Listen("tcp", "127.0.0.1:0")

func init() {
	if Err = failed; Err != nil {
		return
	}
	go func() {
		if c, err := listener.Accept(); err == nil {
			io.WriteString(c, "here already")
			c.Close()
		}
	}()
	var c net.Conn
	if c, Err = net.Dial("tcp", listener.Addr().String()); Err != nil {
		return
	}
	var b []byte
	b, Err = io.ReadAll(c)
	Heard = string(b)
}
