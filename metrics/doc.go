// Package metrics tells Prometheus what a machine does.
//
// A program imports it and says, in one line,
//
//	metrics.Serve(r, migrator)
//
// and the machine answers HTTP: at /metrics in the text formats of Prometheus, and at / with
// a page for people about the whole rack, which a browser reloads every two seconds. The boot
// parameter metrics= is the address to listen at; it is :9100 if nobody says otherwise, and
// nothing listens if it is empty.
//
// Names follow Prometheus's conventions: nuos_ in front, base units at the end (seconds,
// bytes), _total for what only grows. dashboard.json is a dashboard for Grafana, which has
// one input, the Prometheus that scrapes the machines.
//
// # Invariants
//
//   - A scrape reads what the machine counts anyway: nothing runs between two.
//   - What is _total never decreases while a machine lives, whatever moves and ends on it.
//   - Every metric that the dashboard asks for exists (TestMachines).
//
// # Caveats
//
//   - The package brings net/http, html/template and Prometheus's client into an image, 8.3 MB
//     of kv's 17.5.
//   - The counters of the kernel, nuos_kernel_*, are there on metal only; hosted, Linux has
//     its own.
//   - nuos_proclet_calls_total counts calls of methods on this machine, of local callers and
//     of others. How long they took is known of those alone that other machines execute,
//     nuos_call_duration_seconds: a local call takes less time than two looks at the clock.
//   - Whoever can reach the address can read it.
package metrics
