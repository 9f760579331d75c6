//go:build metal

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"nuos/boot/acpi"
	"nuos/kernel"
	"nuos/kernel/internal/tsc"
	"nuos/kernel/internal/x86"
)

func init() {
	exercises["rate"] = rate
	compareClock = compareWithTSC
}

// compareWithTSC is compareClock on a machine whose TSC is right, though it is not asked.
func compareWithTSC(long time.Duration) error {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(cpuinfo), "cpu MHz\t\t: ")
	line, _, _ := strings.Cut(rest, "\n")
	mhz, err := strconv.ParseFloat(line, 64)
	if err != nil {
		return err
	}
	begin := pair()
	time.Sleep(long)
	end := pair()
	got := end.at.Sub(begin.at)
	want := time.Duration(float64(end.tsc-begin.tsc) / mhz * 1e3)
	if d := (got - want).Abs(); d > want/200 || got < long {
		return fmt.Errorf("%v passed during a sleep of %v, want %v", got, long, want)
	}
	return nil
}

// rate wants the kernel's clock to have its rate from args[0], and to run as fast as the
// counter args[1] says.
func rate(args []string) error {
	if got := kernel.ClockSource(); strings.ReplaceAll(got, " ", "_") != args[0] {
		return fmt.Errorf("the clock goes by %s, want %s", got, args[0])
	}
	if len(args) == 1 {
		return nil
	}
	var h tsc.Hardware
	if tables := acpi.Machine(); args[1] == "pmtimer" {
		h.PMTimer, h.PMTimer32 = tables.PMTimer, tables.PMTimer32
	}
	var counter tsc.Counter
	begin := pair()
	if !counter.Start(h) {
		return fmt.Errorf("there is no %s", args[1])
	}
	time.Sleep(20 * time.Millisecond)
	want := counter.Rate()
	end := pair()
	got := uint64(float64(end.tsc-begin.tsc) / end.at.Sub(begin.at).Seconds())
	if d := int64(got) - int64(want.Hz); max(d, -d) > int64(want.Hz/500) {
		return fmt.Errorf("the clock takes %d ticks for a second, %v says %d", got, want.Source, want.Hz)
	}
	return nil
}

// moment is the time by both.
type moment struct {
	tsc uint64
	at  time.Time
}

// pair reads both clocks as close to each other as it can be had.
func pair() (best moment) {
	least := ^uint64(0)
	for range 100 {
		before := x86.ReadTSC()
		at := time.Now()
		if took := x86.ReadTSC() - before; took < least {
			least, best = took, moment{before + took/2, at}
		}
	}
	return best
}
