package main

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// hold writes so many bytes of memory, then its process number to a file in the folder, and
// does nothing any more but change one of the bytes now and then.
func hold(bytes, folder string) error {
	n, err := strconv.Atoi(bytes)
	if err != nil {
		return err
	}
	memory := make([]byte, max(n, 1))
	for i := range memory {
		memory[i] = byte(i * 7)
	}
	file := filepath.Join(folder, "pid")
	if err := os.WriteFile(file+".new", []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	for {
		memory[0]++
		time.Sleep(10 * time.Millisecond)
	}
}
