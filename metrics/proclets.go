package metrics

import "nuos/migrate"

var (
	proclets     = describe("proclets", "Proclets that live on the machine.")
	pinned       = describe("proclets_pinned", "Proclets that live on the machine and may not leave it.")
	heapMapped   = describe("proclet_heap_mapped_bytes", "Memory that the heaps of the machine's proclets have taken.")
	heapUsed     = describe("proclet_heap_used_bytes", "Memory that is allocated in the heaps of the machine's proclets.")
	procletBusy  = describe("proclet_processors", "Processors that proclets use, lately.")
	procletCalls = describe("proclet_calls_total", "Calls of proclets, and threads started in them, on the machine.")
)

// procletMetrics tells of the proclets that live here.
func procletMetrics(to sink, o *migrate.Overview) {
	to.gauge(proclets, float64(o.Proclets))
	to.gauge(pinned, float64(o.Pinned))
	to.gauge(heapMapped, float64(o.Mapped))
	to.gauge(heapUsed, float64(o.Used))
	to.gauge(procletBusy, o.Busy)
	to.counter(procletCalls, float64(o.Calls))
}

var (
	moves      = describe("migrations_total", "Proclets that have left the machine, and that have arrived at it.", "direction")
	movesUndo  = describe("migrations_given_up_total", "Moves that were given up; the proclet stayed where it was.")
	movesLost  = describe("migrations_lost_total", "Proclets that were lost because their destination died.")
	movesBytes = describe("migration_sent_bytes_total", "Bytes of the proclets that have left.")
	movePause  = describe("migration_pause_seconds", "How long callers of a proclet that left had to wait.")
	movePhase  = describe("migration_phase_seconds", "How long each phase of a move took; send contains map, receive and verify of the other machine.", "phase")
)

// moveMetrics tells of the moves of proclets.
func moveMetrics(to sink, o *migrate.Overview, m *migrate.Migrator) {
	to.counter(moves, float64(o.Made), "out")
	to.counter(moves, float64(o.Arrived), "in")
	to.counter(movesUndo, float64(o.GivenUp))
	to.counter(movesLost, float64(o.Lost))
	to.counter(movesBytes, float64(o.Sent))
	pauses, phases := m.Times()
	to.durations(movePause, pauses)
	for phase, h := range phases {
		to.durations(movePhase, h, phase)
	}
}
