// Package watch asks all machines of a rack what they have and have done, and says from two
// of their answers what happens: for nuos top and for the page that machines show to browsers.
//
// Each machine is asked with one request. What a machine that does not answer says is its
// error; the others' figures are there all the same. The caller decides how often that is.
package watch

import (
	"context"
	"sync"
	"time"

	"nuos/migrate"
	"nuos/rack"
)

// Machine is what a machine has said of itself, or why it has not.
type Machine struct {
	Member    rack.Member
	Directory bool
	Overview  migrate.Overview
	Err       error
}

// Sample is what all machines have said, at about the same time.
type Sample struct {
	At       time.Time
	Machines []Machine
}

// Ask asks the machines of a rack, all at once, for at most top of their proclets each. r may
// be an observer.
func Ask(ctx context.Context, r *rack.Rack, top int, by migrate.By) Sample {
	s := Sample{At: time.Now()}
	directory, _ := r.Directory()
	members := r.Members()
	s.Machines = make([]Machine, len(members))
	var all sync.WaitGroup
	for i, member := range members {
		all.Go(func() {
			m := Machine{Member: member, Directory: member.ID == directory}
			m.Overview, m.Err = migrate.AskOverview(ctx, r, member.ID, top, by)
			s.Machines[i] = m
		})
	}
	all.Wait()
	return s
}
