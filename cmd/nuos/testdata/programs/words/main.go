// Command words prints what it was started with and ends with the status of its
// first argument.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: words STATUS ...")
		os.Exit(2)
	}
	status, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	file, _ := os.ReadFile("/greeting/file")
	line, _ := json.Marshal(map[string]any{
		"Args": os.Args[1:], "Greeting": os.Getenv("GREETING"), "File": string(file),
	})
	fmt.Printf("started with %s\n", line)
	os.Exit(status)
}
