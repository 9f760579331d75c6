package boot

// WordKind says what a word of the command line is for.
type WordKind uint8

const (
	Parameter   WordKind = iota // name=value, for a boot.Param
	Environment                 // Name=value, an environment variable of the program
	Argument                    // an argument of the program: everything after "--"
)

// Words walks over the command line. It allocates nothing and may be used
// before the Go runtime is up:
//
//	for w := info.Words(); w.Next(); {
//		use(w.Kind, w.Text)
//	}
type Words struct {
	Kind WordKind
	Text []byte // without quotes; a zero byte follows in memory, as in C

	rest []byte
	args bool // "--" was met
}

// Words returns a walk over the command line from its first word. The words
// stay where they are for as long as in does, so the addresses of their first
// bytes can serve as C strings. The word "--" itself is not among them.
func (in *Info) Words() Words { return Words{rest: in.line[:in.lineLen]} }

// Next goes to the next word and reports whether there is one.
func (w *Words) Next() bool {
	for {
		n := 0
		for n < len(w.rest) && w.rest[n] != 0 {
			n++
		}
		if n == len(w.rest) {
			return false
		}
		w.Text, w.rest = w.rest[:n:n], w.rest[n+1:]
		switch {
		case w.args:
			w.Kind = Argument
		case string(w.Text) == "--":
			w.args = true
			continue
		case n > 0 && w.Text[0] >= 'A' && w.Text[0] <= 'Z':
			w.Kind = Environment
		default:
			w.Kind = Parameter
		}
		return true
	}
}

// setLine splits a command line into words. Words are separated by white
// space; double quotes protect it (rack="my rack") and are removed. A first
// word that looks like a path is the name of the image, which some loaders
// pass, and is left out. A word that does not fit whole is left out, with all
// that follow.
func (in *Info) setLine(src []byte) {
	in.lineLen, in.LineTruncated = 0, false
	for i, first := 0, true; ; first = false {
		for i < len(src) && isSpace(src[i]) {
			i++
		}
		if i == len(src) || src[i] == 0 {
			return
		}
		begin, quoted := in.lineLen, false
		for ; i < len(src) && src[i] != 0 && (quoted || !isSpace(src[i])); i++ {
			if src[i] == '"' {
				quoted = !quoted
				continue
			}
			if in.lineLen >= MaxCommandLine-1 {
				in.lineLen, in.LineTruncated = begin, true
				return
			}
			in.line[in.lineLen] = src[i]
			in.lineLen++
		}
		if first && isPath(in.line[begin:in.lineLen]) {
			in.lineLen = begin
			continue
		}
		in.line[in.lineLen] = 0
		in.lineLen++
	}
}

// isPath reports whether the part of a word before "=" has a character that
// no parameter has in its name but the name of a file does.
func isPath(word []byte) bool {
	for _, c := range word {
		switch c {
		case '=':
			return false
		case '/', '.', '\\':
			return true
		}
	}
	return false
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
