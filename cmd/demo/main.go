// Command demo is the main job of nuos, end to end: it boots a rack of machines,
// serves Redis clients from proclets, moves the proclets about while the real
// redis-benchmark and clients of its own work on them, and reads everything back.
//
// It exits with 0 only if no request failed, no acknowledged write is lost and no
// answer was wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"nuos/boot/image"
	"nuos/images/kv/load"
	"nuos/qemu"
)

// demo is one run. The fields with flags say what to do, the rest is made as it
// goes.
type demo struct {
	hosted     bool
	machines   int
	cpus       int
	megabytes  int
	value      int
	requests   int64
	migrations int
	every      time.Duration
	atLeast    time.Duration
	within     time.Duration
	seed       uint64
	verbose    bool
	options    qemu.Options

	start time.Time
	rack  *qemu.Rack
	load  *load.Load
}

func main() {
	var d demo
	flag.BoolVar(&d.hosted, "hosted", false, "machines are ordinary processes instead of virtual machines")
	flag.IntVar(&d.machines, "machines", 3, "machines in the rack")
	flag.IntVar(&d.cpus, "cpus", 1, "processors of each machine")
	flag.IntVar(&d.megabytes, "fill", 48, "MiB of values to load first")
	flag.IntVar(&d.value, "value", 4096, "bytes of each value")
	flag.Int64Var(&d.requests, "requests", 200_000, "requests to make at least")
	flag.IntVar(&d.migrations, "migrations", 300, "proclets of 64 KiB to 1 MiB to move at least")
	flag.DurationVar(&d.every, "every", 100*time.Millisecond, "how often a proclet is moved")
	flag.DurationVar(&d.atLeast, "for", 0, "how long to go on at least")
	flag.DurationVar(&d.within, "within", 0, "give up after this time under load (default 170s more than -for)")
	flag.Uint64Var(&d.seed, "seed", 0, "seed of everything random (default: a new one each time)")
	flag.BoolVar(&d.verbose, "v", false, "show the consoles of the machines")
	percent := func(p *float64, name, usage string) {
		flag.Float64Var(p, name, 0, "percent of frames that each link "+usage)
	}
	faults := &d.options.Faults
	percent(&faults.Loss, "loss", "loses")
	percent(&faults.Duplicate, "duplicate", "delivers twice")
	percent(&faults.Reorder, "reorder", "delivers late")
	percent(&faults.Corrupt, "corrupt", "damages")
	flag.StringVar(&d.options.Pcap, "pcap", "", "file to record all frames in")
	flag.Parse()
	for _, p := range []*float64{&faults.Loss, &faults.Duplicate, &faults.Reorder, &faults.Corrupt} {
		*p /= 100
	}
	if d.within == 0 {
		d.within = d.atLeast + 170*time.Second
	}
	if d.seed == 0 {
		d.seed = rand.Uint64()
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := d.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo: FAILED:", err)
		os.Exit(1)
	}
}

// say prints a line with the time since the start.
func (d *demo) say(format string, args ...any) {
	fmt.Printf("\r\033[K%6.1fs  "+format+"\n", append([]any{time.Since(d.start).Seconds()}, args...)...)
}

// show overwrites the line of progress.
func (d *demo) show(format string, args ...any) {
	fmt.Printf("\r\033[K%6.1fs  "+format, append([]any{time.Since(d.start).Seconds()}, args...)...)
}

func (d *demo) run(ctx context.Context) error {
	d.start = time.Now()
	if _, err := exec.LookPath("redis-benchmark"); err != nil {
		return errors.New("redis-benchmark is missing: apt-get install redis-tools")
	}
	d.say("seed %d", d.seed)
	err := d.boot(ctx)
	if d.rack != nil {
		defer d.rack.Stop()
	}
	if err != nil {
		return err
	}
	defer d.load.Close()
	if err := d.load.Ready(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, d.lastWords())
	}
	d.say("serving on %s", d.rack.Listen()[0])

	keys := d.load.Keys
	err = d.load.Fill(ctx, func(done int) {
		d.show("loading %d of %d MiB", done*d.value>>20, keys*d.value>>20)
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, d.lastWords())
	}
	d.say("loaded %d keys of %d bytes", keys, d.value)

	result, err := d.work(ctx)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, d.lastWords())
	}
	d.say("reading everything back")
	if err := d.load.Verify(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, d.lastWords())
	}
	accounts, err := d.account(ctx)
	if err != nil {
		return err
	}
	return d.verdict(ctx, result, accounts)
}

// boot builds the program and starts the rack.
func (d *demo) boot(ctx context.Context) error {
	o := d.options
	o.Name, o.Machines, o.CPUs, o.Hosted, o.Seed = "demo", d.machines, d.cpus, d.hosted, d.seed
	o.Forward = []qemu.Forward{{Listen: "127.0.0.1:0", Port: 6379}}
	if d.verbose {
		o.Mirror = os.Stderr
	}
	dir, err := os.MkdirTemp("", "nuos-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) // the machines have read it when Ready returns, or never will
	if d.hosted {
		o.Package = "./images/kv"
	} else {
		d.say("building the image")
		r, err := image.Build(ctx, image.Options{Package: "./images/kv", Output: filepath.Join(dir, "kv.elf")})
		if err != nil {
			return err
		}
		o.Image = r.Path
		d.say("image of %.1f MB", float64(r.Size)/1e6)
	}
	d.say("starting %d machines", d.machines)
	if d.rack, err = qemu.Start(ctx, o); err != nil {
		return err
	}
	d.load = &load.Load{
		Addr: d.rack.Listen()[0], Seed: d.seed, Keys: d.megabytes << 20 / d.value, Size: d.value,
		Counters: 64, Workers: 4, Depth: 8,
	}
	d.load.Open()
	if err := d.rack.WaitPort(ctx, 6379); err != nil {
		return fmt.Errorf("%w\n%s", err, d.lastWords())
	}
	return nil
}

// lastWords is what the machines said last, for a report of failure.
func (d *demo) lastWords() string {
	text := ""
	for _, m := range d.rack.Machines() {
		console := m.Console()
		text += fmt.Sprintf("machine %d (running: %v, console in %s):\n%s\n", m.Index(), m.Running(), m.ConsolePath(), console[max(0, len(console)-2000):])
	}
	return text
}
