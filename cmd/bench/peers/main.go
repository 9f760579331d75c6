// Command peers measures what people use today for calls and for moving state, between two
// processes of this computer, and two floors that need no library:
//
//	peers serve NAME FOLDER &
//	peers measure NAME FOLDER
//
// The two meet in the folder. The second prints its rows in the format of Go's benchmarks
// and ends; the first ends with its standard input.
//
//	peers hold BYTES FOLDER
//
// is a process that has written so much memory, and waits.
//
// It is a module of its own, so that nothing that belongs to nuos needs its libraries.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
)

// peer is one pair of processes.
type peer struct {
	name    string
	serve   func(folder string) error // nil: it needs no server
	measure func(folder string) error
}

var peers = slices.Concat(floorPeers, callPeers, movePeers)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "list" {
		for _, p := range peers {
			fmt.Println(p.name)
		}
		return nil
	}
	if len(args) == 3 && args[0] == "hold" {
		return hold(args[1], args[2])
	}
	if len(args) != 3 {
		return fmt.Errorf("want list, or serve or measure with a name and a folder, not %q", args)
	}
	i := slices.IndexFunc(peers, func(p peer) bool { return p.name == args[1] })
	if i < 0 {
		return fmt.Errorf("nothing is called %q", args[1])
	}
	switch p := peers[i]; args[0] {
	case "measure":
		return p.measure(args[2])
	case "serve":
		if p.serve != nil {
			go func() {
				if err := p.serve(args[2]); err != nil {
					fmt.Fprintln(os.Stderr, "peers:", err)
					os.Exit(1)
				}
			}()
		}
		io.Copy(io.Discard, os.Stdin)
		return nil
	}
	return fmt.Errorf("%q is neither list, serve nor measure", args[0])
}
