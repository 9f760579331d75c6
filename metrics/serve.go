package metrics

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"nuos/boot"
	"nuos/migrate"
	"nuos/rack"
)

var addressParam = boot.NewParam("metrics", ":9100", "metrics: [HOST]:PORT to answer Prometheus and browsers at; empty: nowhere")

// requestBound is how long a client may take to say what it wants.
const requestBound = 10 * time.Second

// Serve answers HTTP at the address that the boot parameter metrics= says, until the program
// ends. That nobody can be answered there is said on the console, and keeps the program
// from nothing.
func Serve(r *rack.Rack, m *migrate.Migrator) {
	address := addressParam.Value()
	if address == "" {
		return
	}
	if err := serve(address, Handler(r, m)); err != nil {
		fmt.Fprintf(os.Stderr, "metrics: boot parameter metrics=%s: %v\n", address, err)
	}
}

// serve begins to listen, and answers in the background.
func serve(address string, h http.Handler) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host == "" {
		host = boot.Host()
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	go (&http.Server{Handler: h, ReadHeaderTimeout: requestBound}).Serve(l)
	return nil
}

// Handler answers what Serve does, for programs that listen themselves.
func Handler(r *rack.Rack, m *migrate.Migrator) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(Registry(r, m), promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("GET /{$}", newPage(r))
	return mux
}

// Registry has all metrics of a machine. A program may register more.
func Registry(r *rack.Rack, m *migrate.Migrator) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collector(kernelMetrics),
		collector(func(to sink) { rackMetrics(to, r) }),
		collector(func(to sink) {
			o := m.Overview(0, migrate.ByLoad)
			machineMetrics(to, &o)
			procletMetrics(to, &o)
			moveMetrics(to, &o, m)
		}),
	)
	return reg
}
