// Exercise is the program with which the kernel is tested: it makes the Go
// runtime use everything that a kernel gives it and says what went wrong. Its
// arguments name what to do; it runs on a machine of ours and, to check the
// exercises themselves, on Linux.
package main

import (
	"fmt"
	"os"
	"strings"
)

// exercises return an error for what went wrong. Those that end the program in
// their own way return nil only if they failed to.
var exercises = map[string]func(args []string) error{
	"stress":      stress,
	"faults":      faults,
	"preempt":     preempt,
	"timers":      timers,
	"handoff":     handoff,
	"pipes":       pipes,
	"fifos":       fifos,
	"proc":        proc,
	"profile":     profile,
	"files":       files,
	"mappings":    mappings,
	"sockets":     sockets,
	"threads":     threads,
	"memory":      memory,
	"calls":       calls,
	"protect":     protection,
	"sigframes":   sigframes,
	"sigguards":   sigguards,
	"panic":       panics,
	"wild":        wild,
	"clocksource": clocksource,
	"exit":        exit,
	"collapse":    collapse,
	"coherence":   coherence,
}

func main() {
	for _, arg := range os.Args[1:] {
		words := strings.Split(arg, ",")
		do, known := exercises[words[0]]
		if !known {
			fmt.Printf("FAIL %s: no such exercise\n", arg)
			os.Exit(3)
		}
		if err := do(words[1:]); err != nil {
			fmt.Printf("FAIL %s: %v\n", arg, err)
			os.Exit(1)
		}
		fmt.Printf("ok %s\n", arg)
	}
	fmt.Println("done")
}
