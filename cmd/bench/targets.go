package main

import (
	"cmp"
	"fmt"
	"math"

	"nuos/internal/samples"
)

// target is what one of our figures is to reach in relation to another one of the same run.
type target struct {
	what  string // ours
	ours  samples.Figure
	than  string // the other; empty if there is none
	other samples.Figure

	// The bound is plus + factor times the other's; what is more is better, ours
	// is at least that, else at most.
	factor float64
	plus   float64
	more   bool
}

// limit is the bound in the unit of our figure, NaN if the other was not measured.
func (t *target) limit(s *samples.Set) float64 {
	if t.than == "" {
		return t.plus
	}
	return t.plus + t.factor*s.Median(t.other)
}

// wanted says what the bound is.
func (t *target) wanted() string {
	switch {
	case t.ours.Unit == "allocs/op":
		return fmt.Sprintf("at most %g", t.plus)
	case t.than == "":
		return "at most " + duration(t.plus)
	case t.more:
		return fmt.Sprintf("at least %gx", t.factor)
	case t.factor < 1:
		return fmt.Sprintf("at least %.0fx faster", 1/t.factor)
	case t.plus != 0:
		return fmt.Sprintf("at most %gx + %s", t.factor, duration(t.plus))
	}
	return fmt.Sprintf("at most %gx", t.factor)
}

// verdict says whether the bound is kept.
func (t *target) verdict(s *samples.Set) string {
	ours, limit := s.Median(t.ours), t.limit(s)
	switch {
	case math.IsNaN(ours) || math.IsNaN(limit):
		return "not measured"
	case t.more && ours >= limit, !t.more && ours <= limit:
		return "reached"
	}
	return "not reached"
}

// ratio is how much more or less ours is, the larger of both over the smaller.
func (t *target) ratio(s *samples.Set) string {
	ours, other := s.Median(t.ours), s.Median(t.other)
	switch {
	case t.than == "" || math.IsNaN(ours) || math.IsNaN(other):
		return "-"
	case t.factor < 1:
		return fmt.Sprintf("%.1fx faster", other/ours)
	}
	return fmt.Sprintf("%.2fx", ours/other)
}

const (
	mib         = 1 << 20
	microsecond = 1e3 // in ns, as all times
	millisecond = 1e6
)

func figure(unit, name string, args ...any) samples.Figure {
	return samples.Figure{Benchmark: fmt.Sprintf(name, args...), Unit: unit}
}

// movedIdle is a move of a proclet of so many bytes that nobody uses.
func movedIdle(unit string, bytes int) samples.Figure {
	return figure(unit, "Move/bytes=%d/threads=0/idle", bytes)
}

// movedValues is a move of a proclet of so many bytes in values of 100.
func movedValues(unit string, bytes int) samples.Figure {
	return figure(unit, "Move/bytes=%d/values=100", bytes)
}

// background is how many objects may be allocated during a call: by what else a machine
// does, such as telling others that it lives. What a call itself allocates is at least one.
const background = 0.2

// targets are the figures that are wanted.
var targets = append([]target{
	{what: "move of 64 KiB", ours: movedIdle("ns/op", 64<<10), than: "memcpy", other: movedIdle("memcpy-ns/op", 64<<10), factor: 2, plus: 25 * microsecond},
	{what: "move of 1 MiB", ours: movedIdle("ns/op", mib), than: "memcpy", other: movedIdle("memcpy-ns/op", mib), factor: 2, plus: 20 * microsecond},
	{what: "move of 16 MiB", ours: movedIdle("ns/op", 16*mib), than: "memcpy", other: movedIdle("memcpy-ns/op", 16*mib), factor: 1.5},
	{what: "remote call, p50", ours: figure("p50-ns", "RemoteCall/bytes=8"), than: "raw round trip", other: figure("p50-ns", "LinkRoundTrip/bytes=60"), factor: 4},
	{what: "remote call, p99.9", ours: figure("p999-ns", "RemoteCall/bytes=8"), than: "raw round trip", other: figure("p50-ns", "LinkRoundTrip/bytes=60"), factor: 20},
	{what: "remote call, p50", ours: figure("p50-ns", "RemoteCall/bytes=8"), than: "gRPC-Go over TCP", other: figure("p50-ns", "PeerCall/peer=grpc-tcp/bytes=8"), factor: 1. / 40},
	{what: "remote call, p50", ours: figure("p50-ns", "RemoteCall/bytes=8"), than: "gRPC-Go over a unix socket", other: figure("p50-ns", "PeerCall/peer=grpc-unix/bytes=8"), factor: 1. / 40},
	{what: "remote calls/s of 64 callers", ours: figure("calls/s", "RemoteCalls/callers=64"), than: "gRPC-Go over TCP", other: figure("calls/s", "PeerCalls/peer=grpc-tcp/callers=64"), factor: 20, more: true},
	{what: "remote call beside moves, p99.9", ours: figure("p999-ns", "CallBeside/what=moves"), than: "beside as much load", other: figure("p999-ns", "CallBeside/what=load"), factor: 5},
	{what: "remote call, allocations of both machines", ours: figure("allocs/op", "RemoteCall/bytes=8"), plus: background},
	{what: "local call, allocations", ours: figure("allocs/op", "LocalCall/bytes=8"), plus: background},
	{what: "pause of 64 MiB, written at 100 MB/s", ours: figure("pause-ns/op", "Move/bytes=%d/writes=100MBs", 64*mib), plus: 2 * millisecond},
	{what: "each of 10,000 moved at once", ours: figure("ns/proclet", "MoveBatch/n=10000"), than: "each of 10", other: figure("ns/proclet", "MoveBatch/n=10"), factor: 1.25},
	{what: "in QEMU: remote call, p50", ours: emulated("nuos", "RemoteCall/bytes=8", "p50-ns"), than: "Linux guest", other: emulated("linux", "RemoteCall/bytes=8", "p50-ns"), factor: 1. / 4},
	{what: "in QEMU: move of 1 MiB", ours: emulated("nuos", "Move/bytes=1048576/threads=0/idle", "ns/op"), than: "Linux guest", other: emulated("linux", "Move/bytes=1048576/threads=0/idle", "ns/op"), factor: 1. / 4},
}, peerTargets()...)

// emulated is what our program has measured in a virtual machine with that system.
func emulated(system, benchmark, unit string) samples.Figure {
	return figure(unit, "Emulated/by=%s/%s", system, benchmark)
}

// peerTargets are what moves are to be quicker than, and how many times.
func peerTargets() (all []target) {
	for _, p := range []struct {
		than, peer  string
		bytes       int // that it moves; 0: as many as we
		values      bool
		unit        string
		one, larger float64 // at 1 MiB and at 16 MiB
	}{
		{"Redis MIGRATE", "redis-migrate", 0, true, "ns/op", 300, 200},
		{"gob over TCP", "gob-tcp", 0, true, "ns/op", 40, 40},
		{"msgpack over TCP", "msgpack-tcp", 0, true, "ns/op", 30, 20},
		{"CRIU's pause", "criu", 0, false, "pause-ns/op", 100, 10},
		{"a virtual machine of 64 MiB", "qemu-migrate", 64 * mib, false, "ns/op", 300, 20},
		{"one block over TCP", "block-tcp", 0, false, "ns/op", 3, 2},
	} {
		for _, s := range []struct {
			bytes  int
			factor float64
		}{{mib, p.one}, {16 * mib, p.larger}} {
			t := target{what: "move of " + size(s.bytes), ours: movedIdle("ns/op", s.bytes), than: p.than, factor: 1 / s.factor}
			t.other = figure(p.unit, "PeerMove/peer=%s/bytes=%d", p.peer, cmp.Or(p.bytes, s.bytes))
			if p.values {
				t.what, t.ours = t.what+" in values of 100", movedValues("ns/op", s.bytes)
				t.other.Benchmark += "/values=100"
			}
			all = append(all, t)
		}
	}
	return all
}

// model is what Nu's authors plan with for moving so many bytes: 25 µs and 12.5 GB/s, which is
// 100 GbE.
func model(bytes int) float64 { return 25*microsecond + float64(bytes)/12.5 }
