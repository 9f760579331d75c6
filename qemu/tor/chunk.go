package tor

// chunkSize and chunkCount bound what a client holds that was received and not
// released.
const (
	chunkSize  = 256 << 10
	chunkCount = 16
)

// chunk is memory that frames are read into and lent out of.
type chunk struct {
	index int
	bytes []byte
	users int // frames lent, and one for the goroutine that reads into it
}

// chunks are all chunks of one client, made when first needed and used again
// and again.
type chunks struct{ all []*chunk }

// take returns a chunk that nobody uses, or nil.
func (c *chunks) take() *chunk {
	for _, k := range c.all {
		if k.users == 0 {
			k.users = 1
			return k
		}
	}
	if len(c.all) == chunkCount {
		return nil
	}
	k := &chunk{index: len(c.all), bytes: make([]byte, chunkSize), users: 1}
	c.all = append(c.all, k)
	return k
}

func (c *chunks) release(k *chunk) { k.users-- }
