//go:build !metal

package kernel

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestCallNames looks at both ends of each stretch of names, and beyond.
func TestCallNames(t *testing.T) {
	for _, c := range []struct {
		nr   uint64
		want string
	}{
		{unix.SYS_READ, "read"}, {unix.SYS_FUTEX, "futex"}, {unix.SYS_EPOLL_PWAIT, "epoll_pwait"},
		{unix.SYS_RSEQ, "rseq"}, {unix.SYS_RSEQ + 1, ""}, {unix.SYS_PIDFD_SEND_SIGNAL - 1, ""},
		{unix.SYS_PIDFD_SEND_SIGNAL, "pidfd_send_signal"}, {unix.SYS_EPOLL_PWAIT2, "epoll_pwait2"},
		{unix.SYS_FUTEX_REQUEUE, "futex_requeue"}, {unix.SYS_FUTEX_REQUEUE + 1, ""}, {1<<64 - 1, ""},
	} {
		if got := callName(c.nr); got != c.want {
			t.Errorf("call %d is called %q, want %q", c.nr, got, c.want)
		}
	}
}
