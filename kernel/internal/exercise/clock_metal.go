//go:build metal

package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// setClock sets the time on by an hour and back, and sees who notices.
func setClock([]string) error {
	const step = time.Hour
	timerAt := func(d time.Duration, flags int) (int, error) {
		fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, 0)
		if err != nil {
			return 0, err
		}
		at := unix.NsecToTimespec(time.Now().Add(d).UnixNano())
		return fd, unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|flags, &unix.ItimerSpec{Value: at}, nil)
	}
	soon, err := timerAt(step/2, 0)
	if err != nil {
		return err
	}
	defer unix.Close(soon)
	cancelled, err := timerAt(2*step, unix.TFD_TIMER_CANCEL_ON_SET)
	if err != nil {
		return err
	}
	defer unix.Close(cancelled)

	before := time.Now()
	set := func(t time.Time) error {
		tv := unix.NsecToTimeval(t.UnixNano())
		return unix.Settimeofday(&tv)
	}
	if err := set(before.Add(step)); err != nil {
		return fmt.Errorf("settimeofday: %w", err)
	}
	after := time.Now()
	if d := after.Round(0).Sub(before.Round(0)); d < step || d > step+step/2 {
		return fmt.Errorf("the time went on by %v, want %v", d, step)
	}
	if d := after.Sub(before); d > step/2 {
		return fmt.Errorf("the clock that nobody sets went on by %v", d)
	}
	var count [8]byte
	if n, err := unix.Read(soon, count[:]); n != 8 || err != nil || count[0] != 1 {
		return fmt.Errorf("a timer whose moment was passed over: %d, %v, %v", n, count, err)
	}
	if _, err := unix.Read(cancelled, count[:]); err != unix.ECANCELED {
		return fmt.Errorf("a timer that setting the time cancels: %v, want %v", err, unix.ECANCELED)
	}
	ts := unix.NsecToTimespec(time.Now().Add(-step).UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("clock_settime: %w", err)
	}
	if d := time.Now().Round(0).Sub(before.Round(0)); d < 0 || d > step/2 {
		return fmt.Errorf("after setting it back the time went on by %v", d)
	}
	var x unix.Timex
	if state, err := unix.Adjtimex(&x); state != unix.TIME_ERROR || err != nil || x.Time.Sec < before.Unix() {
		return fmt.Errorf("adjtimex: state %d, time %d, %v", state, x.Time.Sec, err)
	}
	return nil
}
