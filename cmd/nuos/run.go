package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"nuos/qemu"
)

func runCommand() *cobra.Command {
	var (
		o       qemu.Options
		ports   []string
		archive string
		detach  bool
		quiet   bool
		onLinux bool
	)
	cmd := &cobra.Command{
		Use:   "run IMAGE [-- ARGUMENTS...]",
		Short: "Run a rack of machines on this computer",
		Long: `Run starts machines that boot IMAGE, a file that nuos build wrote or any main
package that it builds, joined by a switch. It stays until Ctrl-C, or until all
machines have ended; with --detach it returns when every machine is ready.

What stands behind -- are the program's arguments. A --param that begins with a
capital letter is an environment variable. Run's exit status is that of the program,
or of the first machine whose program failed.`,
		Example: `  nuos run -n 3 -p 6379:6379 ./images/kv
  nuos run -n 3 -p 6379:6379 --hosted ./images/kv
  nuos run -n 2 --hosted --link --pin --param idle=poll ./images/measure
  nuos run --param idle=poll --cpus 2 ./images/hello
  nuos run -p 8080:80 --archive ./site --param GODEBUG=http2debug=1 ../elsewhere/server -- -v "a title"
  nuos run go.etcd.io/bbolt/cmd/bbolt@v1.4.0 -- bench
  nuos run -n 3 --loss 1 --duplicate 1 --reorder 1 -p 6379:6379 ./images/kv`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = rackName
			for _, p := range ports {
				f, err := parseForward(p)
				if err != nil {
					return err
				}
				o.Forward = append(o.Forward, f)
			}
			percent(&o.Faults.Loss, &o.Faults.Duplicate, &o.Faults.Reorder, &o.Faults.Corrupt)
			if len(args) > 1 {
				o.Params = append(append(o.Params, "--"), args[1:]...)
			}
			if o.Machines == 0 {
				o.Machines = machinesOf(args[0])
			}
			if detach {
				return runDetached(cmd.Context())
			}
			if !quiet {
				o.Mirror = os.Stdout
			}
			build := func(ctx context.Context, o *qemu.Options, dir string) error {
				return buildFor(ctx, o, args[0], archive, dir)
			}
			if onLinux {
				if o.Machines > 1 || o.Hosted || archive != "" || len(ports) > 0 {
					return errors.New("--linux has one machine, without a network, and no archive")
				}
				build = func(ctx context.Context, o *qemu.Options, dir string) error { return linuxFor(ctx, o, args[0], dir) }
			}
			return run(cmd.Context(), o, args[0], build)
		},
	}
	f := cmd.Flags()
	f.IntVarP(&o.Machines, "machines", "n", 0, "number of machines (default what the image wants, or 1)")
	f.BoolVar(&o.Hosted, "hosted", false, "run machines as ordinary processes instead of in QEMU")
	f.BoolVar(&o.Link, "link", false, "with --hosted: a cable between two machines instead of the switch")
	f.BoolVar(&o.VhostUser, "vhost-user", false, "machines in QEMU share their memory with the switch, which is quicker than a socket")
	f.BoolVar(&o.Pin, "pin", false, "with --hosted: a processor of this computer for each machine")
	f.BoolVar(&onLinux, "linux", false, "run the program in a Debian Linux guest instead, to compare")
	f.StringArrayVarP(&ports, "publish", "p", nil, "port of this computer and port of the rack, [ADDRESS:]HOST:RACK; of machine N alone, from 0, with @N behind it")
	f.IntVar(&o.Memory, "memory", 0, "MiB of memory of each machine (default 512)")
	f.IntVar(&o.CPUs, "cpus", 0, "processors of each machine (default 1)")
	f.StringVar(&o.MachineType, "machine", "", "q35, pc or microvm (default q35)")
	f.StringVar(&o.Firmware, "firmware", "", "qboot or seabios, of q35 and pc (default qboot where QEMU has it)")
	f.StringVar(&o.CPU, "cpu", "", "processor model of QEMU, or default (default max)")
	f.StringArrayVar(&o.Params, "param", nil, "boot parameter NAME=VALUE or environment variable")
	f.StringVar(&archive, "archive", "", "folder, or cpio file, with files for the machines")
	f.StringVar(&o.Pcap, "pcap", "", "file to record all frames in")
	f.Uint64Var(&o.Seed, "seed", 0, "seed of random faults")
	f.Float64Var(&o.Faults.Loss, "loss", 0, "percent of frames that each link loses")
	f.Float64Var(&o.Faults.Duplicate, "duplicate", 0, "percent that it delivers twice")
	f.Float64Var(&o.Faults.Reorder, "reorder", 0, "percent that it delivers late")
	f.Float64Var(&o.Faults.Corrupt, "corrupt", 0, "percent in which it flips a bit")
	f.DurationVar(&o.Faults.Delay, "delay", 0, "time that each frame takes on a link")
	f.BoolVarP(&detach, "detach", "d", false, "return when the rack is ready")
	f.BoolVarP(&quiet, "quiet", "q", false, "do not show the consoles")
	return cmd
}

func percent(fields ...*float64) {
	for _, f := range fields {
		*f /= 100
	}
}

// parseForward reads what -p was given.
func parseForward(s string) (f qemu.Forward, err error) {
	ports, only, one := strings.Cut(s, "@")
	parts := strings.Split(ports, ":")
	if len(parts) == 2 {
		parts = append([]string{"127.0.0.1"}, parts...)
	}
	if one {
		var machine int
		machine, err = strconv.Atoi(only)
		f.Only = []int{machine}
	}
	if err == nil && len(parts) == 3 {
		port, bad := strconv.ParseUint(parts[2], 10, 16)
		f.Listen, f.Port, err = parts[0]+":"+parts[1], uint16(port), bad
	}
	if err != nil || f.Port == 0 || one && f.Only[0] < 0 {
		return qemu.Forward{}, fmt.Errorf("-p %s: want HOST:RACK, such as 6379:6379, or HOST:RACK@MACHINE", s)
	}
	return f, nil
}

// run keeps a rack until ctx or the last machine ends. What it runs, target, is
// built into a folder.
func run(ctx context.Context, o qemu.Options, target string, build func(ctx context.Context, o *qemu.Options, dir string) error) error {
	dir, err := os.MkdirTemp("", "nuos-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	start := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%5.1fs  "+format+"\n", append([]any{time.Since(start).Seconds()}, args...)...)
	}
	say("building %s", target)
	if err := build(ctx, &o, dir); err != nil {
		return err
	}
	say("starting %d machines", o.Machines)
	r, err := qemu.Start(ctx, o)
	if err != nil {
		return err
	}
	defer r.Stop()
	if o.Faults != (qemu.Options{}.Faults) {
		say("faults from seed %d", r.Seed)
	}
	for i, f := range o.Forward {
		say("port %d of the rack is %s here", f.Port, r.Listen()[i])
	}
	if r.Dir != "" {
		say("consoles are in %s; Ctrl-C stops the rack", r.Dir)
	}
	for _, f := range o.Forward {
		if err := r.WaitPort(ctx, f.Port); err != nil && ctx.Err() == nil {
			return err
		}
	}
	if ctx.Err() == nil {
		say(readyWord)
	}
	return wait(ctx, r)
}

// readyWord is what run says when the published ports are answered.
const readyWord = "ready"

// exitStatus is how a program ended that failed.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// wait returns when ctx ends or every machine has; a machine's exit code other
// than 0 is an error that wraps an exitStatus.
func wait(ctx context.Context, r *qemu.Rack) error {
	var failures []error
	for _, m := range r.Machines() {
		code, err := m.Wait(ctx)
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "stopping")
			return nil
		}
		if err == nil && code != 0 {
			err = exitStatus(code)
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("machine %d: %w (console in %s)", m.Index(), err, m.ConsolePath()))
		}
	}
	return errors.Join(failures...)
}

// runDetached starts this command again in the background, without --detach, and
// returns when its rack is ready.
func runDetached(ctx context.Context) error {
	var args []string
	for _, a := range os.Args[1:] {
		if a != "-d" && a != "--detach" {
			args = append(args, a)
		}
	}
	log, err := os.CreateTemp("", "nuos-run-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name())
	child := exec.Command("/proc/self/exe", args...)
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	child.Stdout, child.Stderr = log, log
	if err := child.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	shown := 0
	for {
		text, _ := os.ReadFile(log.Name())
		os.Stderr.Write(text[shown:])
		if shown = len(text); strings.HasSuffix(string(text), readyWord+"\n") {
			fmt.Fprintln(os.Stderr, "the rack runs in the background; `nuos stop` ends it")
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the rack did not start: %w", err)
		case <-ctx.Done():
			child.Process.Signal(os.Interrupt)
			<-ended
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
