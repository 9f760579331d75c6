package boot

import "strings"

// Line returns words as a command line from which a machine reads the same
// words, whatever is in them but zero bytes, and reports whether the machine has
// room for it.
func Line(words []string) (line string, fits bool) {
	quoted, size := make([]string, len(words)), 0
	for i, w := range words {
		quoted[i] = quote(w)
		size += len(w) + 1
	}
	return strings.Join(quoted, " "), size <= MaxCommandLine
}

// quote is what setLine reads as the word s.
func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\r\n\"") {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
