package metrics

import (
	"nuos/migrate"
	"nuos/mm"
)

var (
	memorySize    = describe("memory_size_bytes", "Physical memory of the machine.")
	memoryBytes   = describe("memory_bytes", "Physical memory by owner. Those of one machine add up to its size.", "owner")
	pressure      = describe("pressure", "1 while the machine is short of memory, or of processors.", "kind")
	processors    = describe("processors", "Processors that run goroutines.")
	processorTime = describe("processor_seconds_total", "Time that processors worked, polling included.")
)

// machineMetrics tells of memory and processors.
func machineMetrics(to sink, o *migrate.Overview) {
	u := &o.Frames
	to.gauge(memorySize, float64(u.Total*mm.PageSize))
	for _, owner := range []struct {
		name   string
		frames uint64
	}{
		{"free", u.Free}, {"program", u.Program}, {"heaps", u.Heaps},
		{"dma", u.DMA}, {"page_tables", u.PageTables}, {"kernel", u.Kernel},
	} {
		to.gauge(memoryBytes, float64(owner.frames*mm.PageSize), owner.name)
	}
	to.gauge(pressure, truth(o.Short.Memory), "memory")
	to.gauge(pressure, truth(o.Short.Processor), "processor")
	to.gauge(processors, float64(o.Processors))
	to.counter(processorTime, o.Worked.Seconds())
}
