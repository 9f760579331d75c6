package proclet_test

import (
	"context"
	"time"

	"nuos/migrate"
	"nuos/proclet"
	"nuos/rack"
)

// The migrators of simulated racks are those of package migrate, which the tests of
// package proclet itself cannot import.
func init() {
	proclet.NewSimMigrator = func(host any) proclet.SimMigrator {
		m := migrate.New(host.(migrate.Network), host.(migrate.Proclets), 20*time.Millisecond)
		m.PrecopyAll()
		return simMigrator{m}
	}
}

type simMigrator struct{ *migrate.Migrator }

func (m simMigrator) Move(ctx context.Context, id proclet.ID, to rack.MachineID) error {
	_, err := m.Migrator.Move(ctx, id, to)
	return err
}
