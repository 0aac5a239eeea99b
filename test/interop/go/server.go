package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/sd/etcdv3"
	gokitgrpc "github.com/go-kit/kit/transport/grpc"
	"github.com/go-kit/log"
	"google.golang.org/grpc"

	"rollcall.test/interop/pb"
)

type binding struct {
	pb.UnimplementedTestServer
	test gokitgrpc.Handler
}

func (b *binding) Test(ctx context.Context, request *pb.TestRequest) (*pb.TestResponse, error) {
	_, response, err := b.test.ServeGRPC(ctx, request)
	if err != nil {
		return nil, err
	}
	return response.(*pb.TestResponse), nil
}

func asIs(_ context.Context, message interface{}) (interface{}, error) { return message, nil }

func greet() endpoint.Endpoint {
	return func(_ context.Context, request interface{}) (interface{}, error) {
		r := request.(*pb.TestRequest)
		return &pb.TestResponse{V: fmt.Sprintf("hello %s you are %d old?", r.A, r.B)}, nil
	}
}

// runServer says "listening <address>" once it is registered, and deregisters on SIGTERM.
func runServer(args []string) {
	flags := flag.NewFlagSet("server", flag.ExitOnError)
	etcd := flags.String("etcd", "127.0.0.1:2379", "address of the registry")
	listen := flags.String("listen", "127.0.0.1:0", "address to serve on")
	flags.Parse(args)

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		fail(err)
	}
	address := listener.Addr().String()
	registrar := etcdv3.NewRegistrar(connect(*etcd), etcdv3.Service{
		Key:   prefix + address,
		Value: address,
	}, log.NewLogfmtLogger(os.Stderr))

	server := grpc.NewServer()
	pb.RegisterTestServer(server, &binding{test: gokitgrpc.NewServer(greet(), asIs, asIs)})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-stop
		registrar.Deregister()
		server.GracefulStop()
	}()

	registrar.Register()
	fmt.Println("listening", address)
	if err := server.Serve(listener); err != nil {
		fail(err)
	}
}
