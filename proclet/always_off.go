//go:build !always_moving

package proclet

// alwaysMoving says that the program was built with the tag always_moving.
const alwaysMoving = false

func (t *Thread) roundTrip() {}
