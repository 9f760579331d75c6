//go:build always_moving

package proclet

import "sync/atomic"

// alwaysMoving says that the program was built with the tag always_moving: at every
// safe point a thread leaves as if its proclet did, and comes back from the image
// that was made of it. So what cannot travel is found by any test.
const alwaysMoving = true

// trips counts the round trips that threads inside several proclets could have made.
var trips atomic.Uint32

// roundTrip makes t leave and come back, if it can. One that runs in several
// proclets leaves only sometimes, because it is several threads afterwards.
func (t *Thread) roundTrip() {
	if t.depth > 1 && (trips.Add(1)%4 > 0 || t.split() != nil) {
		return
	}
	t.waiting = nil
	t.fiber.Leave() // what cannot leave stays
}
