package main

import (
	"context"
	"time"

	"github.com/go-kit/kit/sd/etcdv3"
)

// prefix is the folder of the service's instances, as the tutorial names it.
const prefix = "/services/book/"

func connect(etcd string) etcdv3.Client {
	client, err := etcdv3.NewClient(context.Background(), []string{etcd}, etcdv3.ClientOptions{
		DialTimeout:   3 * time.Second,
		DialKeepAlive: 3 * time.Second,
	})
	if err != nil {
		fail(err)
	}
	return client
}
