package kernel_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestStartCode counts the basic blocks that an emulator has to translate until the program has
// begun, which is what a start consists of there, and those of them that it
// translates once more because the same code is run in another state of the processor. The
// machine counts instructions instead of time, so that it does nearly the same each time.
func TestStartCode(t *testing.T) {
	const mostBlocks, mostAgain = 9900, 60
	log := filepath.Join(t.TempDir(), "blocks")
	console, code := guest{machine: "microvm,pcie=on", line: "-- exit,0", accel: "tcg,thread=single",
		extra: []string{"-icount", "shift=1,sleep=off", "-d", "in_asm", "-D", log}}.run(t)
	if code != 0 {
		t.Fatalf("exit code %d; console:\n%s", code, console)
	}
	listing, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	blocks, times := 0, map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^IN:.*\n(0x[0-9a-f]+):`).FindAllSubmatch(listing, -1) {
		blocks++
		times[string(m[1])]++
	}
	again := blocks - len(times)
	t.Logf("%d blocks, of which %d again", blocks, again)
	if blocks == 0 || blocks > mostBlocks || again > mostAgain {
		t.Errorf("%d blocks are translated, of which %d again; want at most %d and %d", blocks, again, mostBlocks, mostAgain)
	}
}
