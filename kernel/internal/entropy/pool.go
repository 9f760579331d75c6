package entropy

// Pool is a source of random numbers. The zero value is one that anybody can guess.
type Pool struct {
	key    [8]uint32
	stream [blocks][16]uint32
	used   int // words of stream that have been handed out; 0: there is no stream yet
	seeded bool
}

// blocks is how many blocks of the stream are made at a time.
const blocks = 4

// Enough is how many bits nobody can guess.
const Enough = 256

// Mix adds what a source says, of which somebody who knows everything else cannot guess
// that many bits.
func (p *Pool) Mix(data []byte, bits int) {
	p.key = hash(&p.key, len(p.key)*4, data)
	p.forget()
	p.seeded = p.seeded || bits >= Enough
}

// Seeded reports whether the numbers are such that nobody can guess them.
func (p *Pool) Seeded() bool { return p.seeded }

// Word returns 64 random bits.
func (p *Pool) Word() uint64 {
	if p.used == 0 || p.used == blocks*16 {
		p.refill()
	}
	low, high := p.take(), p.take()
	return uint64(high)<<32 | uint64(low)
}

// refill makes the stream of the present key, whose beginning is the next key.
func (p *Pool) refill() {
	var nonce [3]uint32
	for i := range p.stream {
		chacha(&p.key, uint32(i), &nonce, &p.stream[i])
	}
	for i := range p.key {
		p.key[i] = p.stream[0][i]
		p.stream[0][i] = 0
	}
	p.used = len(p.key)
}

// take hands out a word of the stream and forgets it.
func (p *Pool) take() uint32 {
	w := &p.stream[p.used/16][p.used%16]
	v := *w
	*w = 0
	p.used++
	return v
}

// forget drops the stream of the last key.
func (p *Pool) forget() {
	clear(p.stream[:])
	p.used = 0
}
