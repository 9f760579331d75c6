package qemu

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// yieldProcessors has the threads that emulate a machine's processors give
// way to everything else. They are busy even when the machine only polls, and
// without this they take the time of the thread that moves its frames: with it
// the same machines exchange several times as many.
func (p *process) yieldProcessors(processors int) {
	// The emulator makes those threads within milliseconds of its start, and
	// nothing tells when.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if n := demote(p.cmd.Process.Pid); n >= processors {
			return
		}
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
	}
}

// demote lowers every thread of pid that is named after a processor ("CPU
// 0/TCG", with debug-threads=on) and returns how many there are.
func demote(pid int) (processors int) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return 0
	}
	for _, task := range tasks {
		name, err := os.ReadFile(filepath.Join(task, "comm"))
		if err != nil || !strings.HasPrefix(string(name), "CPU ") {
			continue
		}
		tid, err := strconv.Atoi(filepath.Base(task))
		if err != nil {
			continue
		}
		// SCHED_IDLE (sched(7)) needs no privilege. A system that refuses
		// even that is slower, not wrong.
		unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0)
		processors++
	}
	return processors
}
