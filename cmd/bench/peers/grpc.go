package main

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A unary method that returns its bytes, as protoc would describe it.
const echoMethod = "/bench.Echo/Echo"

var echoService = grpc.ServiceDesc{
	ServiceName: "bench.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Echo",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := new(wrapperspb.BytesValue)
			return in, decode(in)
		},
	}},
}

func serveGRPC(network, folder string) error {
	l, err := listen(network, folder)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	s.RegisterService(&echoService, struct{}{})
	return s.Serve(l)
}

func measureGRPC(network, folder string) error {
	at, err := address(folder)
	if err != nil {
		return err
	}
	if network == "unix" {
		at = "unix://" + at
	}
	conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	return measureCalls("grpc-"+network, func(arg []byte) ([]byte, error) {
		out := new(wrapperspb.BytesValue)
		err := conn.Invoke(context.Background(), echoMethod, wrapperspb.Bytes(arg), out)
		return out.Value, err
	})
}
