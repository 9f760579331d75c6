// Osbench measures what an operating system costs a Go program, and prints it in
// the format of Go's benchmarks. It uses nothing that Linux does not have, so that
// the same source runs on both:
//
//	nuos bench ./images/osbench         both columns, and the time to start
//	nuos run --cpus 2 ./images/osbench
//	nuos run --cpus 2 --linux ./images/osbench
//	go run ./images/osbench
//
// Nothing else should run on the computer meanwhile.
//
// Its arguments are the names of what to measure, none for all.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
)

// rows are what there is to measure, in the order in which it is printed.
var rows = []row{
	{"Syscall", syscalls},
	{"TimeNow", timeNow},
	{"PageFault", pageFault},
	{"MmapMunmap", mmapMunmap},
	{"FutexHandoff", futexHandoff},
	{"ContextSwitch", contextSwitch},
	{"LockedHandoff", lockedHandoff},
	{"PipeRoundTrip", pipeRoundTrip},
	{"Wakeup", wakeup},
	{"SleepIdle", sleepIdle},
	{"SleepBusy", sleepBusy},
	{"GCPause", gcPause},
	{"Speedup", speedup},
}

type row struct {
	name    string
	measure func() []figure
}

// figure is a value with its unit, which is one word.
type figure struct {
	value float64
	unit  string
}

func main() {
	// The first line of main: whoever started the machine takes the time.
	fmt.Printf("goos: %s\ngoarch: %s\n", runtime.GOOS, runtime.GOARCH)
	wanted := os.Args[1:]
	for _, name := range wanted {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.name == name }) {
			fmt.Fprintf(os.Stderr, "osbench: nothing is called %q\n", name)
			os.Exit(2)
		}
	}
	processors := runtime.NumCPU()
	for _, r := range rows {
		if len(wanted) > 0 && !slices.Contains(wanted, r.name) {
			continue
		}
		fmt.Printf("Benchmark%s-%d\t1", r.name, processors)
		for _, f := range r.measure() {
			precision := 2
			if f.value >= 100 {
				precision = 0
			}
			fmt.Printf("\t%.*f %s", precision, f.value, f.unit)
		}
		fmt.Println()
	}
}
