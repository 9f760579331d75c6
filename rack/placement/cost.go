package placement

import "time"

// Cost is how long moves take: a part that is the same for all, and one for each byte. It is learnt from
// moves, the later ones counting more, and begins with what a fast network does.
type Cost struct {
	n, x, y, xx, xy float64 // sums over moves, of bytes and microseconds
}

const (
	firstFixed = 25.          // microseconds
	firstByte  = 1 / (12.5e3) // microseconds a byte: 100 Gbit/s
	forgetting = 1 - 1./64    // what a move counts for when another one has been made
	priorMoves = 4.           // what the beginning is worth
	priorSize  = float64(1 << 20)
)

// NewCost knows no moves.
func NewCost() *Cost {
	c := &Cost{}
	for _, x := range []float64{0, priorSize} {
		c.add(x, firstFixed+x*firstByte, priorMoves/2)
	}
	return c
}

func (c *Cost) add(x, y, weight float64) {
	c.n += weight
	c.x += weight * x
	c.y += weight * y
	c.xx += weight * x * x
	c.xy += weight * x * y
}

// Learn takes note of a move.
func (c *Cost) Learn(bytes uint64, took time.Duration) {
	for _, sum := range []*float64{&c.n, &c.x, &c.y, &c.xx, &c.xy} {
		*sum *= forgetting
	}
	c.add(float64(bytes), float64(took)/float64(time.Microsecond), 1)
}

// Model returns what a move takes, and what each byte adds, in microseconds.
func (c *Cost) Model() (fixed, perByte float64) {
	if spread := c.n*c.xx - c.x*c.x; spread > 1 {
		perByte = (c.n*c.xy - c.x*c.y) / spread
	}
	// Moves of one size say nothing of others; and nothing takes less than no time.
	perByte = max(perByte, firstByte/10)
	fixed = (c.y - perByte*c.x) / c.n
	return max(fixed, 1), perByte
}

// Microseconds is how long a move of so many bytes is expected to take.
func (c *Cost) Microseconds(bytes uint64) float64 {
	fixed, perByte := c.Model()
	return fixed + float64(bytes)*perByte
}
