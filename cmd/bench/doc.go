// Command bench measures calls and moves between two machines of this computer, beside the floors
// under them and beside what people use today, in one run:
//
//	make bench
//	go run ./cmd/bench -rounds 3 -only 'nuos|grpc'
//	go run ./cmd/bench -docs docs/performance.md
//
// Everybody runs in pairs of processes, each pinned to a processor of its own, or in what
// else is usual for it. All take turns in several rounds; what counts is the median of the
// rounds. It prints tables and writes them to a folder, with all that was measured: bench.txt for
// benchstat, bench.json, and a chart, bench.svg.
//
// In reading order: main.go, contest.go (who takes part), machines.go, pair.go, redis.go,
// guest.go and criu.go (how they run), emulated.go (the same in virtual machines), targets.go (what is wanted), table.go, json.go and
// chart.go (what is written). The peers that need libraries are in the module peers.
//
// Nothing else should run on the computer meanwhile. Speed is not asserted: a figure that is not
// reached is said to be so, and the exit status is that of a benchmark that has run.
package main
