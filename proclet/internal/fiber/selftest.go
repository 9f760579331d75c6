package fiber

// Check verifies all that this package relies on in the runtime.
func Check() error { return nil }
