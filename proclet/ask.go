package proclet

import (
	"context"
	"encoding/json"
	"fmt"

	"nuos/rack"
)

// Ask returns what lives on a machine. r may be an observer.
func Ask(ctx context.Context, r *rack.Rack, machine rack.MachineID) ([]Info, error) {
	reply, err := r.Call(ctx, machine, rack.ServiceProcletAdmin, nil)
	if err != nil {
		return nil, err
	}
	var s Status
	if err := json.Unmarshal(reply, &s); err != nil {
		return nil, fmt.Errorf("proclet: status of machine %d: %w", machine, err)
	}
	return s.Proclets, nil
}
