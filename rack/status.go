package rack

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"nuos/drivers/nic"
)

// Status is what a machine knows of the rack and of its own part in it. It is
// JSON on ServiceStatus.
type Status struct {
	Name      string
	Self      MachineID
	Build     string
	Uptime    time.Duration
	View      View
	Directory bool              // this machine is the directory, and serves
	Replica   *ReplicaStatus    `json:",omitempty"` // its copy of the directory; nil: it has none
	Leases    []lease           `json:",omitempty"` // of this machine
	Asked     uint64            // times that this machine has asked the directory
	Dropped   map[string]uint64 // frames that were not taken, by reason
	Taken     uint64            // frames that were
	RingFull  uint64            // times the card took fewer packets than offered
	NIC       nic.Stats
	Latencies Latencies // of calls to other machines, by programs: from request to reply
	Peers     []PeerStatus
}

// ReplicaStatus is a copy of the directory.
type ReplicaStatus struct {
	Voters   []MachineID
	Group    uint64  // how often one of two has gone on alone, and 1
	Applied  uint64  // entries of the log
	Leases   []lease // of all machines
	Proclets int     // whose locations are known
	Names    int
}

// PeerStatus is a session with another machine.
type PeerStatus struct {
	Machine MachineID
	MAC     string
	Open    bool
	Silent  int // twelfths of the time of death for which nothing was heard
	MTU     int
	PeerStats
}

// PeerStats counts what passed between this machine and one other.
type PeerStats struct {
	FramesIn, FramesOut uint64
	BytesIn, BytesOut   uint64 // whole frames; without the pieces of bulk sent
	Repeated            uint64 // packets and pieces sent again
	Duplicates          uint64 // that arrived again
	CallsIn, CallsOut   uint64
	BulkIn, BulkOut     uint64 // transfers
	BulkBytesIn         uint64
	RTT                 time.Duration // smoothed; 0: not measured
}

// Status returns what this machine knows.
func (r *Rack) Status() Status {
	latencies := r.e.latencies()
	r.mu.Lock()
	st := Status{
		Name: r.config.Name, Self: MachineID(r.e.id.Load()), Build: r.config.Build,
		Uptime: r.e.now(), View: r.view, Directory: r.directory.leads.Load(), Asked: r.asked.Load(),
		Dropped: map[string]uint64{},
		Taken:   r.e.taken.Load(), RingFull: r.e.short.Load(), NIC: r.e.port.Stats(), Latencies: latencies,
	}
	r.mu.Unlock()
	st.Replica = r.directory.status()
	r.heaps.mu.Lock()
	st.Leases = slices.Clone(r.heaps.leases)
	r.heaps.mu.Unlock()
	for why, name := range dropNames {
		st.Dropped[name] = r.e.drops[why].Load()
	}
	for _, s := range r.e.peers.Load().byNonce {
		st.Peers = append(st.Peers, s.status())
	}
	slices.SortFunc(st.Peers, func(a, b PeerStatus) int { return cmp.Compare(a.Machine, b.Machine) })
	return st
}

func (d *directory) status() *ReplicaStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.replica
	if p == nil {
		return nil
	}
	st := &ReplicaStatus{Group: p.group, Applied: p.applied, Leases: slices.Clone(p.state.leases), Proclets: len(p.state.locations), Names: len(p.state.names)}
	for _, m := range p.state.Members {
		if p.votes(m.Nonce) {
			st.Voters = append(st.Voters, m.ID)
		}
	}
	return st
}

func (s *session) status() PeerStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return PeerStatus{
		Machine: MachineID(s.id.Load()), MAC: s.route.dstMAC.String(), Open: s.state == sessionOpen,
		Silent: s.silent, MTU: s.mtu, PeerStats: s.counts,
	}
}

func (s *session) silentFor() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent
}

// isOpen reports whether both sides can send.
func (s *session) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == sessionOpen
}

func (r *Rack) serveStatus(q Request) {
	b, err := json.Marshal(r.Status())
	if err != nil {
		q.Fail(err)
		return
	}
	q.Reply(b)
}
