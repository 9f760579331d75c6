package boot

// WordKind says what a word of the command line is for.
type WordKind uint8

const (
	Parameter   WordKind = iota // name=value, for a boot.Param
	Environment                 // Name=value, an environment variable of the program
	Argument                    // an argument of the program: everything after "--"
)

// Words walks over the command line. It allocates nothing, writes no pointers
// and may be used before the Go runtime is up:
//
//	for w := info.Words(); w.Next(); {
//		use(w.Kind(), w.Text())
//	}
type Words struct {
	info       *Info
	begin, end int // of the word in info.line
	kind       WordKind
	args       bool // "--" was met
}

// Words returns a walk over the command line that stands before its first
// word. The word "--" itself is not among them.
func (in *Info) Words() Words { return Words{info: in, end: -1} }

// Kind says what the word is for.
func (w *Words) Kind() WordKind { return w.kind }

// Text returns the word without its quotes. The bytes stay where they are for
// as long as the Info does, and a zero byte follows: the address of the first
// one can serve as a C string.
func (w *Words) Text() []byte {
	// With room for the zero: a slice without room may point elsewhere.
	return w.info.line[w.begin : w.end : w.end+1]
}

// Next goes to the next word and reports whether there is one.
func (w *Words) Next() bool {
	for {
		w.begin = w.end + 1
		if w.begin >= w.info.lineLen {
			return false
		}
		for w.end = w.begin; w.info.line[w.end] != 0; {
			w.end++
		}
		switch text := w.Text(); {
		case w.args:
			w.kind = Argument
		case string(text) == "--":
			w.args = true
			continue
		case len(text) > 0 && text[0] >= 'A' && text[0] <= 'Z':
			w.kind = Environment
		default:
			w.kind = Parameter
		}
		return true
	}
}

// readLine takes the command line from the zero-terminated string at addr.
func (in *Info) readLine(mem Memory, addr uint64) {
	src, whole := cString(mem, addr, 4*MaxCommandLine) // white space and quotes go
	if !whole {
		for len(src) > 0 && !isSpace(src[len(src)-1]) {
			src = src[:len(src)-1] // part of a word
		}
	}
	in.setLine(src)
	in.LineTruncated = in.LineTruncated || !whole
}

// setLine splits a command line into words. Words are separated by white
// space; double quotes protect it (rack="my rack") and are removed; between them
// a backslash protects a double quote or a backslash and is removed. A first
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
			if quoted && src[i] == '\\' && i+1 < len(src) && (src[i+1] == '"' || src[i+1] == '\\') {
				i++
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
