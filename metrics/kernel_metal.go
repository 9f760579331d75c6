//go:build metal

package metrics

import "nuos/kernel"

var (
	kernelThreads    = describe("kernel_threads", "Threads of the program.")
	kernelCalls      = describe("kernel_system_calls_total", "System calls.")
	kernelUnknown    = describe("kernel_unknown_system_calls_total", "System calls that the kernel does not have.")
	kernelSignals    = describe("kernel_signals_total", "Signals delivered.")
	kernelFaults     = describe("kernel_page_faults_total", "Page faults.")
	kernelInterrupts = describe("kernel_interrupts_total", "Interrupts, those between processors included.")
	kernelStray      = describe("kernel_stray_interrupts_total", "Interrupts that nobody wanted.")
	kernelSent       = describe("kernel_interprocessor_interrupts_total", "Interrupts that processors sent each other.")
	kernelSwitches   = describe("kernel_switches_total", "Changes of a processor from one thread to another.")
)

// kernelMetrics tells what the kernel has counted.
func kernelMetrics(to sink) {
	s := kernel.Stats()
	to.gauge(kernelThreads, float64(s.Threads))
	to.counter(kernelCalls, float64(s.Calls))
	to.counter(kernelUnknown, float64(s.UnknownCalls))
	to.counter(kernelSignals, float64(s.Signals))
	to.counter(kernelFaults, float64(s.PageFaults))
	to.counter(kernelInterrupts, float64(s.Interrupts))
	to.counter(kernelStray, float64(s.StrayInterrupts))
	to.counter(kernelSent, float64(s.Interprocessor))
	to.counter(kernelSwitches, float64(s.Switches))
}
