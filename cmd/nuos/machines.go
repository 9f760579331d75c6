package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// machinesComment says, on a line of its own in a file of a main package, on how
// many machines the program is to run if nobody says otherwise.
const machinesComment = "//nuos:machines "

// machinesOf returns what the program in the folder dir says in its machinesComment;
// 1 if it says nothing, or if dir is no folder.
func machinesOf(dir string) int {
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if after, ok := strings.CutPrefix(lines.Text(), machinesComment); ok {
				if n, err := strconv.Atoi(strings.TrimSpace(after)); err == nil {
					return n
				}
			}
		}
	}
	return 1
}
