// Package kernel is Linux for exactly one process, in the same ring as the
// process: processors, traps, threads, futexes, timers and signals.
package kernel
