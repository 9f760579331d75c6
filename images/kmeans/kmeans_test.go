package main

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/migrate"
	"nuos/qemu"
)

// TestNearest compares with a search in numbers of any size, at the edges of what
// coordinates may be.
func TestNearest(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		dimensions, clusters := 1+random.IntN(5), 1+random.IntN(5)
		coordinate := func() int32 {
			return [...]int32{0, 1, span - 1, random.Int32N(span)}[random.IntN(4)]
		}
		point, centroids := make([]int32, dimensions), make([]int32, clusters*dimensions)
		for i := range point {
			point[i] = coordinate()
		}
		for i := range centroids {
			centroids[i] = coordinate()
		}
		want, least := 0, (*big.Int)(nil)
		for c := range clusters {
			sum := new(big.Int)
			for j, x := range point {
				d := big.NewInt(int64(x) - int64(centroids[c*dimensions+j]))
				sum.Add(sum, d.Mul(d, d))
			}
			if least == nil || sum.Cmp(least) < 0 {
				want, least = c, sum
			}
		}
		got, distance := nearest(point, centroids)
		if got != want || big.NewInt(distance).Cmp(least) != 0 {
			t.Fatalf("point %v, centroids %v: nearest = %d, %d; want %d, %v", point, centroids, got, distance, want, least)
		}
	}
}

// TestStep checks the means, and that a cluster without points stays where it is.
func TestStep(t *testing.T) {
	m := &model{dimensions: 2, centroids: []int32{1, 2, 3, 4}}
	s := sums{coordinates: []int64{10, 21, 0, 0}, counts: []int64{2, 0}}
	if changed := m.step(s); !changed {
		t.Error("step says that nothing has changed")
	}
	if got, want := fmt.Sprint(m.centroids), "[5 10 3 4]"; got != want {
		t.Errorf("centroids = %v, want %v", got, want)
	}
	before := m.checksum
	if changed := m.step(s); changed || m.checksum == before || m.iterations != 2 {
		t.Errorf("the same step again: changed = %v, checksum %x then %x, %d iterations", changed, before, m.checksum, m.iterations)
	}
}

// TestCompare: what differs by one, in any iteration, is found, although the centroids
// of the last one are the same.
func TestCompare(t *testing.T) {
	o := options{data: data{Points: 500, Dimensions: 3, Seed: 7}, clusters: 5}
	run := func(spoil int) *model {
		m := begin(o.data, o.clusters)
		for m.iterations < 40 {
			s := o.sumAlone(m.centroids)
			if m.iterations == spoil {
				s.distance++
			}
			m.step(s)
		}
		return m
	}
	if err := compare(t.Context(), run(-1), o); err != nil {
		t.Errorf("the same computation: %v", err)
	}
	for _, spoil := range []int{0, 1, 38, 39} {
		if err := compare(t.Context(), run(spoil), o); err == nil {
			t.Errorf("iteration %d was spoilt, and nobody noticed", spoil)
		}
	}
}

// TestMovesWhileComputing has proclets moved all the time, hosted and in virtual
// machines: the program itself says whether the result is that of one machine.
func TestMovesWhileComputing(t *testing.T) {
	tests := []struct {
		name    string
		options qemu.Options
		params  []string
		moves   int64
	}{
		{"hosted", qemu.Options{Hosted: true}, []string{"points=20000", "dimensions=30", "clusters=32", "seconds=6", "iterations=0"}, 100},
		{"virtual", qemu.Options{}, []string{"points=2000", "dimensions=30", "clusters=16", "seconds=6", "iterations=0"}, 20},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { whileMoving(t, test.options, test.params, test.moves) })
	}
}

func whileMoving(t *testing.T, o qemu.Options, params []string, moves int64) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	o.Name, o.Dir, o.Machines, o.Params = "kmeanstest", t.TempDir(), 3, params
	if o.Hosted {
		o.Package = "."
	} else {
		r, err := image.Build(ctx, image.Options{Package: ".", Output: filepath.Join(t.TempDir(), "kmeans.elf")})
		if err != nil {
			t.Fatal(err)
		}
		o.Image = r.Path
	}
	r, err := qemu.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Stop()
	running, err := qemu.Attach(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	observer, err := running.Observe()
	if err != nil {
		t.Fatal(err)
	}
	defer observer.Close()

	computing, stop := context.WithCancel(ctx)
	shuffled := make(chan struct{})
	var made atomic.Int64
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	go func() {
		defer close(shuffled)
		s := migrate.Shuffler{Rack: observer, Every: 5 * time.Millisecond, Seed: seed, Done: func(_ migrate.Report, err error) {
			if err == nil {
				made.Add(1)
			}
		}}
		// In the end the machines leave, and cannot be asked.
		if err := s.Run(computing); err != nil {
			t.Log(err)
		}
	}()
	passed := regexp.MustCompile(`(?m)^PASS kmeans: (\d+) iterations, checksum [0-9a-f]{16}\r?$`)
	windows := regexp.MustCompile(`(?m)^window at=[0-9.]+ length=[0-9.]+ iterations=\d+ throughput=[1-9]`)
	said, charted := "", 0
	for _, m := range r.Machines() {
		if code, err := m.Wait(ctx); code != 0 || err != nil {
			t.Errorf("machine %d: exit code %d, %v", m.Index(), code, err)
		}
		said += passed.FindString(m.Console())
		charted += len(windows.FindAllString(m.Console(), -1))
	}
	stop()
	<-shuffled
	t.Logf("%s; %d moves, %d windows", said, made.Load(), charted)
	if said == "" || charted == 0 || made.Load() < moves {
		t.Errorf("%q, %d moves, %d windows with some throughput; want the checksum, %d moves, and some windows", said, made.Load(), charted, moves)
	}
	if t.Failed() {
		for _, m := range r.Machines() {
			console := m.Console()
			t.Logf("machine %d:\n%s", m.Index(), console[max(0, len(console)-3000):])
		}
	}
}
