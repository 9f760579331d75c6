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

// processorNiceness is how much nicer than the emulator the threads that emulate processors
// are made: enough that a thread which moves frames runs when it has something to
// do. The lowest class, SCHED_IDLE, does that as well, but machines stand
// still when the computer has anything else to do.
const processorNiceness = 10

// yieldProcessors has the threads that emulate a machine's processors give
// way. They are busy even when the machine only polls, and take the time of
// the threads that move its frames: the slowest tenth of round trips take
// several times as long without this.
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
	// getpriority(2) itself returns 20 less the niceness, never a negative number.
	own, err := unix.Getpriority(unix.PRIO_PROCESS, pid)
	if err != nil {
		return 0
	}
	own = 20 - own
	for _, task := range tasks {
		name, err := os.ReadFile(filepath.Join(task, "comm"))
		if err != nil || !strings.HasPrefix(string(name), "CPU ") {
			continue
		}
		tid, err := strconv.Atoi(filepath.Base(task))
		if err != nil {
			continue
		}
		// On Linux niceness is a thread's own (sched(7)), and being nicer
		// needs no privilege. A system that refuses is slower, not wrong.
		unix.Setpriority(unix.PRIO_PROCESS, tid, min(own+processorNiceness, 19))
		processors++
	}
	return processors
}
