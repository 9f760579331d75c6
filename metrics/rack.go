package metrics

import (
	"strconv"

	"nuos/rack"
)

var (
	build     = describe("build_info", "1; the labels say which machine of which rack runs which build.", "rack", "machine", "build")
	uptime    = describe("uptime_seconds", "Time since the machine began to join the rack.")
	members   = describe("rack_members", "Machines of the rack, as far as this one knows.")
	directory = describe("rack_directory", "1 on the machine that is the directory.")
	latency   = describe("call_duration_seconds", "Calls of programs to other machines, from request to reply.")

	nicFrames     = describe("nic_frames_total", "Frames of the machine's network card.", "direction")
	nicBytes      = describe("nic_bytes_total", "Bytes of these frames.", "direction")
	nicErrors     = describe("nic_errors_total", "Frames that could not be received or sent, and nonsense of the device.", "kind")
	nicFull       = describe("nic_send_full_total", "Times that the card took fewer packets than offered.")
	rackTaken     = describe("rack_frames_taken_total", "Frames of other machines that were authentic.")
	rackDropped   = describe("rack_frames_dropped_total", "Frames that were not taken.", "reason")
	peerTrip      = describe("rack_round_trip_seconds", "Smoothed round trip between the machine and a peer.", "peer")
	peerFrames    = describe("rack_frames_total", "Frames between the machine and a peer.", "peer", "direction")
	peerBytes     = describe("rack_bytes_total", "Bytes of these frames, without the pieces of bulk transfers that are sent.", "peer", "direction")
	peerCalls     = describe("rack_calls_total", "Calls between the machine and a peer, the system's own included.", "peer", "direction")
	peerBulk      = describe("rack_bulk_transfers_total", "Bulk transfers between the machine and a peer.", "peer", "direction")
	peerBulkBytes = describe("rack_bulk_received_bytes_total", "Bytes of bulk transfers that came from a peer.", "peer")
	peerRepeated  = describe("rack_repeated_total", "Packets and pieces that were sent to a peer again.", "peer")
	peerTwice     = describe("rack_duplicates_total", "Packets and pieces that came from a peer again.", "peer")
)

// rackMetrics tells of the machine's part in the rack, and of the network.
func rackMetrics(to sink, r *rack.Rack) {
	s := r.Status()
	to.gauge(build, 1, s.Name, strconv.FormatUint(uint64(s.Self), 10), s.Build)
	to.gauge(uptime, s.Uptime.Seconds())
	to.gauge(members, float64(len(r.Members())))
	to.gauge(directory, truth(s.Directory))
	to.latencies(latency, &s.Latencies)

	to.counter(nicFrames, float64(s.NIC.RxFrames), "in")
	to.counter(nicFrames, float64(s.NIC.TxFrames), "out")
	to.counter(nicBytes, float64(s.NIC.RxBytes), "in")
	to.counter(nicBytes, float64(s.NIC.TxBytes), "out")
	to.counter(nicErrors, float64(s.NIC.RxErrors), "receive")
	to.counter(nicErrors, float64(s.NIC.SendErrors), "send")
	to.counter(nicErrors, float64(s.NIC.DeviceErrors), "device")
	to.counter(nicFull, float64(s.RingFull))
	to.counter(rackTaken, float64(s.Taken))
	for reason, n := range s.Dropped {
		to.counter(rackDropped, float64(n), reason)
	}
	isMember := map[rack.MachineID]bool{}
	for _, m := range r.Members() {
		isMember[m.ID] = true
	}
	for _, p := range s.Peers {
		if isMember[p.Machine] { // those who only look come and go
			peerMetrics(to, strconv.FormatUint(uint64(p.Machine), 10), p)
		}
	}
}

func peerMetrics(to sink, peer string, p rack.PeerStatus) {
	if p.RTT > 0 {
		to.gauge(peerTrip, p.RTT.Seconds(), peer)
	}
	for _, d := range []struct {
		direction                  string
		frames, bytes, calls, bulk uint64
	}{
		{"in", p.FramesIn, p.BytesIn, p.CallsIn, p.BulkIn},
		{"out", p.FramesOut, p.BytesOut, p.CallsOut, p.BulkOut},
	} {
		to.counter(peerFrames, float64(d.frames), peer, d.direction)
		to.counter(peerBytes, float64(d.bytes), peer, d.direction)
		to.counter(peerCalls, float64(d.calls), peer, d.direction)
		to.counter(peerBulk, float64(d.bulk), peer, d.direction)
	}
	to.counter(peerBulkBytes, float64(p.BulkBytesIn), peer)
	to.counter(peerRepeated, float64(p.Repeated), peer)
	to.counter(peerTwice, float64(p.Duplicates), peer)
}
