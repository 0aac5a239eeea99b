package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/go-kit/kit/endpoint"
	"github.com/go-kit/kit/sd"
	"github.com/go-kit/kit/sd/etcdv3"
	"github.com/go-kit/kit/sd/lb"
	gokitgrpc "github.com/go-kit/kit/transport/grpc"
	"github.com/go-kit/log"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"rollcall.test/interop/pb"
)

type answer struct{ from, text string }

func factory(instance string) (endpoint.Endpoint, io.Closer, error) {
	connection, err := grpc.NewClient(instance, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, nil, err
	}
	call := gokitgrpc.NewClient(connection, "pb.Test", "Test", asIs, asIs, &pb.TestResponse{}).Endpoint()
	return func(ctx context.Context, request interface{}) (interface{}, error) {
		response, err := call(ctx, request)
		if err != nil {
			return nil, err
		}
		return answer{from: instance, text: response.(*pb.TestResponse).V}, nil
	}, connection, nil
}

// runClient waits for -servers instances, makes -calls calls, and prints "<address> <reply>" for each.
func runClient(args []string) {
	flags := flag.NewFlagSet("client", flag.ExitOnError)
	etcd := flags.String("etcd", "127.0.0.1:2379", "address of the registry")
	calls := flags.Int("calls", 8, "how many calls to make")
	servers := flags.Int("servers", 1, "how many instances to wait for")
	flags.Parse(args)

	logger := log.NewLogfmtLogger(os.Stderr)
	instancer, err := etcdv3.NewInstancer(connect(*etcd), prefix, logger)
	if err != nil {
		fail(err)
	}
	endpointer := sd.NewEndpointer(instancer, factory, logger)
	waitFor(endpointer, *servers)

	call := lb.Retry(3, 3*time.Second, lb.NewRoundRobin(endpointer))
	for i := 0; i < *calls; i++ {
		response, err := call(context.Background(), &pb.TestRequest{A: "Allen", B: 21})
		if err != nil {
			fail(err)
		}
		fmt.Println(response.(answer).from, response.(answer).text)
	}
}

// waitFor polls, for go-kit does not tell when the first instances have become endpoints.
func waitFor(endpointer sd.Endpointer, servers int) {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if endpoints, err := endpointer.Endpoints(); err == nil && len(endpoints) >= servers {
			return
		}
	}
	fail(fmt.Errorf("fewer than %d instances after 10 s", servers))
}
