package kernel

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nuos/boot/image"
)

// callGraph has the functions of an image's program by name, as the linker writes it.
type callGraph map[string]*function

type function struct {
	name      string
	frame     int      // bytes of stack, with the return address
	calls     []string // functions that it calls, or jumps to
	variables []string // source lines of its calls through variables
}

// way is a way down from a function, and the stack that it takes.
type way struct {
	depth int
	names []string
}

var (
	textLine = regexp.MustCompile(`^TEXT (.*)\(SB\)(?: (.*))?`)
	grows    = regexp.MustCompile(`^(?:SUBQ \$|ADDQ \$-)(0x[0-9a-f]+), SP`)
	shrinks  = regexp.MustCompile(`^(?:ADDQ \$0x[0-9a-f]+, SP|POPQ|RET)`)
	callTo   = regexp.MustCompile(`^(?:CALL|JMP) (.*)\(SB\)`)
)

// newCallGraph builds an image and takes its program apart.
func newCallGraph(t *testing.T, pkg string) callGraph {
	t.Helper()
	dir := t.TempDir()
	output := filepath.Join(dir, "image.elf")
	if _, err := image.Build(context.Background(), image.Options{
		Package: pkg, Output: output, Symbols: true,
	}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "tool", "objdump", "-s", "^nuos/", output+image.SymbolsSuffix)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go tool objdump: %v", err)
	}
	g, source := callGraph{}, sourceLines{}
	var f *function
	var folder string
	var inside bool // behind the prologue
	for line := range bytes.Lines(out) {
		if m := textLine.FindSubmatch(line); m != nil {
			f, inside = &function{name: string(m[1]), frame: 8}, false
			folder = strings.TrimPrefix(filepath.Dir(string(m[2])), "nuos/")
			g[f.name] = f
			continue
		}
		if f == nil {
			continue
		}
		columns := strings.Split(strings.TrimSpace(string(line)), "\t")
		instruction := strings.TrimSpace(columns[len(columns)-1])
		inside = inside || shrinks.MatchString(instruction)
		switch m := grows.FindStringSubmatch(instruction); {
		case inside:
		case m != nil:
			n, err := strconv.ParseInt(m[1], 0, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			f.frame += int(n)
		case strings.HasPrefix(instruction, "PUSHQ"):
			f.frame += 8
		}
		switch m := callTo.FindStringSubmatch(instruction); {
		case m == nil && strings.HasPrefix(instruction, "CALL"):
			f.variables = append(f.variables, source.at(t, folder, columns[0]))
		case m != nil && m[0] != "JMP "+f.name+"(SB)": // from morestack to the beginning again
			f.calls = append(f.calls, m[1])
		}
	}
	if len(g) == 0 {
		t.Fatal("objdump shows no function of this module")
	}
	return g
}

// sourceLines are the lines of source files, by path from the module's root.
type sourceLines map[string][]string

// at returns the line at FILE:LINE of a function whose source is in a folder of this
// module. What has been inlined may come from other folders below it.
func (s sourceLines) at(t *testing.T, folder, position string) string {
	t.Helper()
	file, number, _ := strings.Cut(strings.TrimSpace(position), ":")
	n, err := strconv.Atoi(number)
	if err != nil {
		t.Fatalf("position %q: %v", position, err)
	}
	for _, in := range []string{folder, "kernel", "kernel/ramfs", "kernel/unix", "kernel/net", "mm"} {
		path := filepath.Join("..", in, file)
		if s[path] == nil {
			text, _ := os.ReadFile(path)
			s[path] = strings.Split(string(text), "\n")
		}
		if lines := s[path]; n <= len(lines) && strings.Contains(lines[n-1], "(") {
			return strings.TrimSpace(lines[n-1])
		}
	}
	return position
}

// rules say what the search through a call graph may meet.
type rules struct {
	// through says who may be called by a source line that contains the key.
	through map[string]*regexp.Regexp
	// loops says how often a function that can come to itself again is on a stack at most.
	loops map[string]int
	// leaf matches functions outside of the graph that may be called.
	leaf *regexp.Regexp
	// except are calls that are not made where the search began, "caller callee".
	except *regexp.Regexp
}

// search looks for the deepest ways down from functions, and for what they may not call.
// Functions that can come to themselves again (the strongly connected components of the
// graph, found as Tarjan does) count with all that their loop has, as often as the rules say.
type search struct {
	callGraph
	rules
	t    *testing.T
	seen map[*function]*visit
	path []*function
}

// visit is what a search knows of a function.
type visit struct {
	order, low int
	onPath     bool
	callees    []*function
	way        *way
}

// deepest returns the way down from a function that takes most stack.
func (s *search) deepest(root string) *way {
	s.t.Helper()
	f := s.callGraph[root]
	if f == nil {
		s.t.Fatalf("%s is not in the program", root)
	}
	if s.seen[f] == nil {
		s.visit(f)
	}
	return s.seen[f].way
}

func (s *search) visit(f *function) *visit {
	v := &visit{order: len(s.seen), low: len(s.seen), onPath: true, callees: s.callees(f)}
	s.seen[f] = v
	s.path = append(s.path, f)
	for _, callee := range v.callees {
		if known := s.seen[callee]; known == nil {
			v.low = min(v.low, s.visit(callee).low)
		} else if known.onPath {
			v.low = min(v.low, known.order)
		}
	}
	if v.low == v.order {
		at := slices.Index(s.path, f)
		s.finish(s.path[at:])
		s.path = s.path[:at]
	}
	return v
}

// finish works out the ways down from functions each of which can come to all others.
func (s *search) finish(loop []*function) {
	times, again := 1, len(loop) > 1
	best, own := &way{}, 0
	var names []string
	for _, f := range loop {
		v := s.seen[f]
		v.onPath = false
		own += f.frame
		names = append(names, f.name)
		times = max(times, s.loops[f.name])
		for _, callee := range v.callees {
			again = again || callee == f
			if w := s.seen[callee].way; w != nil && w.depth > best.depth {
				best = w
			}
		}
	}
	if again && times == 1 {
		s.t.Errorf("nothing says how often these call themselves: %s", strings.Join(names, ", "))
	}
	if times > 1 {
		names[0] = fmt.Sprintf("%d times %s", times, names[0])
	}
	for _, f := range loop {
		s.seen[f].way = &way{depth: best.depth + times*own, names: append(names, best.names...)}
	}
}

// callees are the functions of the graph that f calls.
func (s *search) callees(f *function) (to []*function) {
	for _, name := range f.calls {
		switch callee := s.callGraph[name]; {
		case s.except.MatchString(f.name + " " + name):
		case callee != nil:
			to = append(to, callee)
		case !s.leaf.MatchString(name):
			s.t.Errorf("%s calls %s", f.name, name)
		}
	}
	for _, line := range f.variables {
		n := len(to)
		for key, names := range s.through {
			if !strings.Contains(line, key) {
				continue
			}
			for name, callee := range s.callGraph {
				if names.MatchString(name) {
					to = append(to, callee)
				}
			}
		}
		if len(to) == n {
			s.t.Errorf("%s calls through a variable, and nothing says what may be in it: %s", f.name, line)
		}
	}
	slices.SortFunc(to, func(a, b *function) int { return strings.Compare(a.name, b.name) })
	return slices.Compact(to)
}
