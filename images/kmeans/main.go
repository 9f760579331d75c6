// Command kmeans groups points into clusters, on all machines at once:
//
//	nuos run ./images/kmeans
//	nuos run --hosted --param seconds=30 --param window=10ms ./images/kmeans
//
// It is k-means as map and reduce. The points lie in a vector whose shards are
// proclets; workers are proclets that compute. In each iteration every worker gets
// the centroids, finds the nearest one for its share of the points, and returns sums;
// the sums of all workers make the next centroids. Shards and workers may move at any
// moment. All numbers are integers, so the result does not depend on the order in which
// sums are added: it is equal, bit for bit, to that of one machine, with which it is
// compared in the end.
//
//nuos:machines 3
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"nuos/metrics"
	"nuos/migrate"
	"nuos/migrate/balance"
	"nuos/proclet"
	"nuos/rack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL kmeans:", err)
		os.Exit(1)
	}
}

func run() error {
	o, err := parameters()
	if err != nil {
		return err
	}
	r, err := rack.Join(rack.Config{})
	if err != nil {
		return err
	}
	runtime := proclet.Serve(r)
	migrator := migrate.Serve(r, runtime)
	metrics.Serve(r, migrator)
	balance.Serve(r, runtime, migrator)
	r.HandleInline(serviceDone, answerDone)

	// The machine that is first in the rack directs. It stays until the end, also
	// when it is drained; the others leave when they are asked to.
	first := slices.MinFunc(r.Members(), func(a, b rack.Member) int { return cmp.Compare(a.ID, b.ID) })
	if first.ID == r.Self().ID {
		err = direct(proclet.Current(), r, o)
	} else {
		wait(r, first.ID, migrator.Drained())
	}
	ctx := context.Background()
	return errors.Join(err, runtime.Settle(ctx), r.Leave(ctx))
}

// wait returns when the machine that directs has left, or this one has been drained.
func wait(r *rack.Rack, first rack.MachineID, drained <-chan struct{}) {
	for slices.ContainsFunc(r.Members(), func(m rack.Member) bool { return m.ID == first }) {
		select {
		case <-drained:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
