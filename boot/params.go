package boot

import (
	"io"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// Param is one boot parameter, a word NAME=VALUE (or NAME alone) of the
// command line. A word ?NAME=VALUE is for programs that have the parameter, and nobody is
// told where there is none: what starts machines gives them all it knows. Packages declare theirs as package variables, which makes the
// set of known names complete before main runs.
type Param struct {
	Name    string
	Default string
	Doc     string // one line, shown by nuos help params
}

// params holds every declared parameter by name. It is written only while
// packages initialise, which is single-threaded.
var params = map[string]*Param{}

// NewParam declares a boot parameter. It panics when two packages declare the
// same name, which is a mistake in the program and shows at its first start.
//
//go:noinline
func NewParam(name, def, doc string) *Param {
	if _, dup := params[name]; dup {
		panic("boot: parameter " + name + " is declared twice")
	}
	p := &Param{name, def, doc}
	params[name] = p
	return p
}

// Value returns what the command line says, or the default. A parameter that
// is given several times has its last value.
func (p *Param) Value() string {
	if v, ok := p.Lookup(); ok {
		return v
	}
	return p.Default
}

// Lookup returns the value on the command line and whether there is one.
func (p *Param) Lookup() (string, bool) {
	value, found := "", false
	for _, w := range words() {
		name, v, _ := strings.Cut(strings.TrimPrefix(w, "?"), "=")
		if name == p.Name {
			value, found = v, true
		}
	}
	return value, found
}

// Params lists the declared parameters by name.
func Params() []*Param {
	all := make([]*Param, 0, len(params))
	for _, p := range params {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

var reportOnce sync.Once

// ReportUnknown names, once, every word of the command line that no package
// declared, and says so when words are missing because the line is too long.
// Words that begin with a capital letter are environment variables
// of the program (GOGC=50), words that begin with a dash are its flags, and words that
// begin with a question mark need not be known.
func ReportUnknown(w io.Writer) {
	reportOnce.Do(func() {
		if lineTruncated() {
			io.WriteString(w, "nuos: the command line has more than "+strconv.Itoa(MaxCommandLine)+" bytes; what follows is ignored\n")
		}
		for _, word := range words() {
			name, _, _ := strings.Cut(word, "=")
			if name == "" || name[0] == '-' || name[0] == '?' || name[0] >= 'A' && name[0] <= 'Z' {
				continue
			}
			if _, known := params[name]; !known {
				io.WriteString(w, "nuos: unknown boot parameter "+strconv.Quote(name)+" ignored\n")
			}
		}
	})
}

// words returns the words of the command line that are boot parameters: all
// before a word "--", which begins the program's own arguments.
func words() []string {
	all := commandLine()
	for i, w := range all {
		if w == "--" {
			return all[:i]
		}
	}
	return all
}
