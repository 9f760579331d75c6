package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// collector sends metrics whenever it is asked for them. Those with labels come and go, so it
// describes none: Prometheus's client checks what it collects then.
type collector func(to sink)

func (c collector) Describe(chan<- *prometheus.Desc)    {}
func (c collector) Collect(to chan<- prometheus.Metric) { c(to) }

// sink takes metrics.
type sink chan<- prometheus.Metric

func (to sink) counter(d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func (to sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

// describe names a metric.
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("nuos_"+name, help, labels, nil)
}

// truth is what a gauge says of something that is so or not.
func truth(so bool) float64 {
	if so {
		return 1
	}
	return 0
}
