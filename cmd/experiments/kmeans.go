package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"nuos/qemu"
)

const kmeansApp = "./images/kmeans"

var (
	kmeansReady  = regexp.MustCompile(`(?m)^kmeans: \d+ points`)
	kmeansWindow = regexp.MustCompile(`(?m)^window at=([0-9.]+) length=([0-9.]+) iterations=\d+ throughput=([0-9.e+]+)`)
	kmeansPassed = regexp.MustCompile(`(?m)^PASS kmeans`)
)

// kmeans is images/kmeans, which says itself how much it does, and compares its result in the end.
type kmeans struct {
	machines *qemu.Rack
	began    time.Duration // by its own clock
}

func startKmeans(ctx context.Context, r *qemu.Rack) (app, error) {
	_, err := r.Machine(0).WaitConsole(ctx, kmeansReady)
	return &kmeans{machines: r}, err
}

func (k *kmeans) samples() (all []sample, err error) {
	for _, m := range kmeansWindow.FindAllStringSubmatch(k.machines.Machine(0).Console(), -1) {
		var f [3]float64
		for i := range f {
			if f[i], err = strconv.ParseFloat(m[i+1], 64); err != nil {
				return nil, fmt.Errorf("%q: %w", m[0], err)
			}
		}
		all = append(all, sample{at: time.Duration((f[0] - f[1]) * float64(time.Second)), throughput: f[2]})
	}
	return all, nil
}

func (k *kmeans) begin(context.Context) error {
	all, err := k.samples()
	if len(all) > 0 {
		k.began = all[len(all)-1].at
	}
	return err
}

func (k *kmeans) end(ctx context.Context, into *run) error {
	for _, m := range k.machines.Machines() {
		code, err := m.Wait(ctx)
		if err != nil || code != 0 {
			into.failures++
			into.first = append(into.first, fmt.Sprintf("machine %d ended with status %d, %v", m.Index(), code, err))
		}
	}
	if into.failures == 0 && !kmeansPassed.MatchString(k.machines.Machine(0).Console()) {
		return fmt.Errorf("the result was not compared")
	}
	all, err := k.samples()
	for _, s := range all {
		if s.at >= k.began {
			s.at -= k.began
			into.windows = append(into.windows, s)
		}
	}
	into.unit = "distances"
	return err
}
