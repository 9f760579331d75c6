package main

import (
	"net"
	"net/rpc"
)

// Echo is what net/rpc calls.
type Echo struct{}

// Echo returns its argument.
func (Echo) Echo(arg []byte, answer *[]byte) error { *answer = arg; return nil }

func serveRPC(network, folder string) error {
	s := rpc.NewServer()
	if err := s.Register(Echo{}); err != nil {
		return err
	}
	return serveAll(network, folder, func(conn net.Conn) error { s.ServeConn(conn); return nil })
}

func measureRPC(network, folder string) error {
	conn, err := dial(network, folder)
	if err != nil {
		return err
	}
	client := rpc.NewClient(conn)
	defer client.Close()
	return measureCalls("netrpc-"+network, func(arg []byte) (answer []byte, err error) {
		err = client.Call("Echo.Echo", arg, &answer)
		return answer, err
	})
}
