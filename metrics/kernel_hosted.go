//go:build !metal

package metrics

// kernelMetrics has nothing to tell: the kernel is Linux.
func kernelMetrics(sink) {}
