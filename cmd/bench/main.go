package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"nuos/internal/samples"
	"nuos/qemu"
)

// bench is one invocation.
type bench struct {
	out        string // folder of the results
	docs       string // file whose table is replaced, or empty
	rounds     int
	within     time.Duration
	only       string
	processors string // two numbers, of the processors for each pair
	params     string // boot parameters of our machines

	dir     string // temporary
	started time.Time
	measure string                  // our program
	peers   string                  // theirs
	rack    string                  // the transport's own benchmarks
	idle    string                  // image of the guest that is moved
	guests  map[string]qemu.Options // that run our program

	samples samples.Set
	text    strings.Builder // all that was printed in the format of Go's benchmarks
	leftOut []omission
	failed  error // of those who could take part, and did not come to their end
}

// omission is who cannot take part on this computer, and why.
type omission struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

func main() {
	b := bench{started: time.Now()}
	flag.StringVar(&b.out, "out", "bench-results", "folder for the results")
	flag.StringVar(&b.docs, "docs", "", "file whose tables are to be replaced by those of this run")
	flag.IntVar(&b.rounds, "rounds", 5, "how often everybody has a turn")
	flag.DurationVar(&b.within, "within", 19*time.Minute, "begin no round that would probably end later than this, but the first")
	flag.StringVar(&b.only, "only", "", "regular expression that the names of those match who take part; empty: all")
	flag.StringVar(&b.processors, "processors", "0,1", "two processors of this computer, one for each side")
	flag.StringVar(&b.params, "params", "idle=poll", "boot parameters of our machines; on a computer that does other things, too, idle=adaptive")
	list := flag.Bool("list", false, "say who takes part, and end")
	flag.Parse()
	if *list {
		for _, c := range contestants {
			fmt.Println(c.name)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	wanted, err := regexp.Compile(b.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if b.rounds < 1 || !regexp.MustCompile(`^\d+,\d+$`).MatchString(b.processors) {
		return fmt.Errorf("%d rounds on processors %q: want at least one, and two numbers", b.rounds, b.processors)
	}
	if b.dir, err = os.MkdirTemp("", "nuos-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	where := machine(ctx) // before it is busy with us
	if err := b.build(ctx); err != nil {
		return err
	}
	var who []contestant
	for _, c := range contestants {
		if wanted.MatchString(c.name) {
			who = append(who, c)
		}
	}
	if err := b.contest(ctx, who); err != nil {
		return err
	}
	return errors.Join(b.write(where), b.failed)
}

// contest gives everybody a turn in each round. Who fails is out of this round, and of the
// tables if it is in all, which fails the benchmark in the end.
func (b *bench) contest(ctx context.Context, who []contestant) error {
	for round := range b.rounds {
		began := time.Now()
		for _, c := range who {
			if b.isLeftOut(c.name) {
				continue
			}
			start := time.Now()
			text, err := c.take(ctx, b)
			if err == nil {
				err = b.add(text)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s, %.1f s\n", round+1, b.rounds, c.name, time.Since(start).Seconds())
			if left := (*leftOutError)(nil); errors.As(err, &left) {
				b.leftOut = append(b.leftOut, omission{c.name, left.why})
			} else if err != nil {
				b.failed = errors.Join(b.failed, fmt.Errorf("round %d, %s: %w", round+1, c.name, err))
			}
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), b.failed)
			}
		}
		if time.Since(b.started)+time.Since(began) > b.within {
			b.rounds = round + 1
			break
		}
	}
	return nil
}

func (b *bench) isLeftOut(name string) bool {
	for _, o := range b.leftOut {
		if o.Name == name {
			return true
		}
	}
	return false
}

// add keeps what somebody has printed.
func (b *bench) add(text string) error {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Benchmark") {
			b.text.WriteString(strings.TrimRight(line, "\r\n") + "\n")
		}
	}
	return b.samples.Parse(text)
}

// build builds the programs of those who take part.
func (b *bench) build(ctx context.Context) error {
	b.measure, b.peers, b.rack = filepath.Join(b.dir, "measure"), filepath.Join(b.dir, "peers"), filepath.Join(b.dir, "rack")
	for _, args := range [][]string{
		{"build", "-o", b.measure, "nuos/images/measure"},
		{"build", "-C", "cmd/bench/peers", "-o", b.peers, "."},
		{"test", "-c", "-o", b.rack, "nuos/rack"},
	} {
		build := exec.CommandContext(ctx, "go", args...)
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // our program runs in a guest without libraries, too
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// write prints the tables and writes all files.
func (b *bench) write(where where) error {
	if err := os.MkdirAll(b.out, 0o777); err != nil {
		return err
	}
	tables := b.tables(where)
	fmt.Print(tables)
	encoded, err := b.encode(where)
	if err != nil {
		return err
	}
	chart, err := b.chart(where)
	if err != nil {
		return err
	}
	for name, content := range map[string]string{
		"bench.md": tables, "bench.txt": where.header() + b.text.String(), "bench.json": encoded, "bench.svg": chart,
	} {
		if err := os.WriteFile(filepath.Join(b.out, name), []byte(content), 0o666); err != nil {
			return err
		}
	}
	if b.docs == "" {
		return nil
	}
	return replaceTables(b.docs, tables)
}
