//go:build metal

package boot

// commandLine of a machine is what its loader passed: parameters, environment
// and, after "--", arguments.
func commandLine() []string {
	var words []string
	args := false
	for w := machine.Words(); w.Next(); {
		if w.Kind() == Argument && !args {
			words, args = append(words, "--"), true
		}
		words = append(words, string(w.Text()))
	}
	return words
}

func lineTruncated() bool { return machine.LineTruncated }
