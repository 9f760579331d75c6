package proclet

// interleaved, in simulations, is called where what a goroutine does next races with
// what others do. It may let them go first: no lock is held there. It is nil
// otherwise.
var interleaved func(at string)

func interleave(at string) {
	if interleaved != nil {
		interleaved(at)
	}
}
