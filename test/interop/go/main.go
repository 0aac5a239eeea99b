// A go-kit service and its client, written as the go-kit tutorial writes them: what rollcall shares a registry with.
//
//	interop server -etcd host:port -listen host:port   registers under /services/book/ and serves pb.Test/Test
//	interop client -etcd host:port -calls 8            discovers, balances, retries, and prints each reply
//
// The messages in pb are examples/book/book.proto as protoc-gen-go and protoc-gen-go-grpc write it.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("say server or client"))
	}
	switch os.Args[1] {
	case "server":
		runServer(os.Args[2:])
	case "client":
		runClient(os.Args[2:])
	default:
		fail(fmt.Errorf("unknown command %q: say server or client", os.Args[1]))
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "interop:", err)
	os.Exit(1)
}
