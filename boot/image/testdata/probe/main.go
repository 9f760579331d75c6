// Probe prints what the loader gave it: arguments, environment and the files
// named by the arguments. Its exit status is the environment variable STATUS.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

func main() {
	fmt.Printf("arguments %q\n", os.Args[1:])
	for _, v := range os.Environ() {
		fmt.Printf("environment %q\n", v)
	}
	for _, name := range os.Args[1:] {
		if !strings.HasPrefix(name, "/") {
			continue
		}
		b, err := os.ReadFile(name)
		fmt.Printf("file %s %q %v\n", name, b, err)
	}
	status, _ := strconv.Atoi(os.Getenv("STATUS"))
	os.Exit(status)
}
