// Transcript makes system calls and prints what each answers, one line for each, and
// nothing that differs between two runs. It runs on Linux and in an image of ours;
// a test compares the two.
//
// Its argument is a folder in memory for its files.
package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// dir is the folder for files.
var dir string

func main() {
	dir = os.Args[1]
	for _, topic := range []func(){transfers, overlaps, raws, socketTimeouts, options, watches, readiness, pollArguments, waiting, drained, nests, masks, messages, vectors, about, clocks, alarms, policies, copies} {
		topic()
	}
	fmt.Println("end of transcript")
}

// say prints a call and what it answered.
func say(call string, result any, err error) {
	fmt.Printf("%s = %v%s\n", call, result, failure(err))
}

func failure(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := err.(unix.Errno); ok {
		if e == 0 {
			return ""
		}
		return " " + unix.ErrnoName(e)
	}
	return " " + err.Error()
}

// must is for what prepares a call: there is no transcript without it.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
