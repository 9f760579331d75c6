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
	"regexp"
	"syscall"
	"time"

	"nuos/boot/image"
)

// experiments is one invocation.
type experiments struct {
	out, docs string
	only      string
	seed      uint64

	dir    string // temporary
	images map[program]string
	rates  map[string]float64 // of the load, by scenario
	made   int
}

func main() {
	e := experiments{rates: map[string]float64{}}
	flag.StringVar(&e.out, "out", "experiment-results", "folder for tables and charts")
	flag.StringVar(&e.docs, "docs", "", "file whose tables are to be replaced by those of this run, beside which the charts go")
	flag.StringVar(&e.only, "only", "", "regular expression that the names of scenarios match; empty: all")
	flag.Uint64Var(&e.seed, "seed", rand.Uint64(), "of everything random")
	list := flag.Bool("list", false, "name the scenarios, and end")
	flag.Parse()
	if *list {
		for _, s := range scenarios() {
			fmt.Println(s.name)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := e.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "experiments:", err)
		stop()
		os.Exit(1)
	}
}

func (e *experiments) run(ctx context.Context) (err error) {
	wanted, err := regexp.Compile(e.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if e.dir, err = os.MkdirTemp("", "nuos-experiments-"); err != nil {
		return err
	}
	defer os.RemoveAll(e.dir)
	fmt.Fprintf(os.Stderr, "seed %d\n", e.seed)
	var all []outcome
	var failed error
	for _, s := range scenarios() {
		if !wanted.MatchString(s.name) {
			continue
		}
		if err := e.build(ctx, program{s.app, s.options.Hosted}); err != nil {
			return err
		}
		o := outcome{scenario: s}
		for _, v := range variants {
			began := time.Now()
			r, err := s.make(ctx, e, v)
			fmt.Fprintf(os.Stderr, "%s, %s: %.0f s\n", s.name, v, time.Since(began).Seconds())
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil && v == "staying" {
				// That nothing goes on is what this variant may show.
				fmt.Fprintf(os.Stderr, "%v\n", err)
				r, err = &run{scenario: s, variant: v, over: firstLine(err)}, nil
			}
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", s.name, v, err))
				continue
			}
			o.runs = append(o.runs, r)
		}
		all = append(all, o)
	}
	return errors.Join(e.write(ctx, all), failed)
}

// program is a main package, and what it is built for.
type program struct {
	pkg    string
	hosted bool
}

// build builds a program once.
func (e *experiments) build(ctx context.Context, p program) error {
	if e.images == nil {
		e.images = map[program]string{}
	}
	if e.images[p] != "" {
		return nil
	}
	path := filepath.Join(e.dir, fmt.Sprintf("%s-%v", filepath.Base(p.pkg), p.hosted))
	if !p.hosted {
		r, err := image.Build(ctx, image.Options{Package: p.pkg, Output: path})
		if err != nil {
			return err
		}
		path = r.Path
	} else if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, p.pkg).CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", p.pkg, err, out)
	}
	e.images[p] = path
	return nil
}

// folder makes a new one for a rack.
func (e *experiments) folder() string {
	e.made++
	return filepath.Join(e.dir, fmt.Sprint(e.made))
}
