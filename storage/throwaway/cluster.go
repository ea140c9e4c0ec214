//go:build unix

package throwaway

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Cluster is a Redis Cluster of three masters without replicas, all on
// 127.0.0.1: enough for keys to live in different slots on different servers.
type Cluster struct {
	// Nodes can be stopped and started one by one; with one down, the
	// cluster refuses every command until it is back.
	Nodes []*RedisServer
}

// RedisCluster starts a cluster for one test; that takes about two seconds.
func RedisCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{}
	for range 3 {
		c.Nodes = append(c.Nodes, NewRedis(t, RedisOptions{Settings: map[string]string{
			"cluster-enabled": "yes", "cluster-config-file": "nodes.conf", "cluster-node-timeout": "2000",
		}}))
	}
	ctx, cancel := within(startLimit)
	defer cancel()
	args := append([]string{"--cluster", "create"}, c.Addrs()...)
	cmd := exec.CommandContext(ctx, filepath.Join(c.Nodes[0].bin, "redis-cli"), append(args, "--cluster-yes")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("redis-cli --cluster create: %v: %s", err, tail(out))
	}
	if err := c.settle(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// settle waits until every node knows that all slots are served.
func (c *Cluster) settle(ctx context.Context) error {
	for _, n := range c.Nodes {
		var info string
		var err error
		if !poll(ctx, func() bool {
			info, err = n.ask(ctx, "CLUSTER INFO")
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		}) {
			return fmt.Errorf("the cluster at %s is not ready after %v: %s %w", n.Addr(), startLimit, info, err)
		}
	}
	return nil
}

// Settle waits until the cluster serves all slots again after a node was
// stopped and started.
func (c *Cluster) Settle(t testing.TB) {
	t.Helper()
	ctx, cancel := within(startLimit)
	defer cancel()
	if err := c.settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// Addrs lists host and port of every node.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, n := range c.Nodes {
		addrs[i] = n.Addr()
	}
	return addrs
}

// URL names every node: redis://HOST:PORT,HOST:PORT,HOST:PORT.
func (c *Cluster) URL() string { return "redis://" + strings.Join(c.Addrs(), ",") }
