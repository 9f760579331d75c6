//go:build !metal

package boot

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestLine reads words back, random ones of the characters that matter.
func TestLine(t *testing.T) {
	words := []string{"", " ", `"`, `\`, `\"`, `a b`, `c:\dir\`, `c:\my dir\`, "tab\tand\nline", "GOGC=50", "--", `{"json": "a \"b\""}`, "größer"}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		b := make([]byte, rnd.IntN(8))
		for i := range b {
			b[i] = ` \"a=-`[rnd.IntN(6)]
		}
		words = append(words, string(b))
	}
	for len(words) > 0 {
		some := words[:min(20, len(words))]
		words = words[len(some):]
		want := []string{"p:x=1"}
		for _, w := range some {
			want = append(want, "a:"+w)
		}
		line, _ := Line(append([]string{"x=1", "--"}, some...))
		if got, truncated := walk(line); !slices.Equal(got, want) || truncated {
			t.Errorf("words of %q = %q, %v; want %q", line, got, truncated, want)
		}
	}
	fits := "a=" + strings.Repeat("x", MaxCommandLine-3)
	if _, whole := Line([]string{fits}); !whole {
		t.Error("Line says that a line that just fits does not")
	}
	if _, whole := Line([]string{"x", fits}); whole {
		t.Error("Line says that a line that is too long fits")
	}
}
