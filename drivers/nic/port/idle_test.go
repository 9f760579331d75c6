//go:build !metal

package port

import (
	"errors"
	"os"
	"testing"
)

// TestIdling reads the boot parameter idle= as it is for hosted machines.
func TestIdling(t *testing.T) {
	old := os.Args
	defer func() { os.Args = old }()
	for word, want := range map[string]idleMode{"": idleAdaptive, "idle=adaptive": idleAdaptive, "idle=poll": idlePoll, "idle=halt": idleHalt} {
		os.Args = []string{"program", word}
		if got, err := idling(); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", word, got, err, want)
		}
	}
	os.Args = []string{"program", "idle=sometimes"}
	if _, err := idling(); !errors.Is(err, ErrParameter) {
		t.Errorf("idle=sometimes: %v", err)
	}
}
