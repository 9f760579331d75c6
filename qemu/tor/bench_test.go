package tor

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkStream compares frames that cross the switch, from one stream to
// another, with the floor: the same bytes through one socket pair. Each
// operation is one frame.
func BenchmarkStream(b *testing.B) {
	for _, size := range []int{60, 1514, 9014} {
		for _, floor := range []bool{true, false} {
			name := fmt.Sprintf("switch/%d", size)
			if floor {
				name = fmt.Sprintf("socket/%d", size)
			}
			b.Run(name, func(b *testing.B) {
				sw := newSwitch(b)
				from, to := newPeer(b, sw, 1), newPeer(b, sw, 2)
				to.send(frame(from.mac, to.mac, 0, 60))
				from.receive()
				in, out := from.conn, to.conn
				if floor {
					in, out = pair(b)
				}
				const batch = 64
				chunk := framed(frame(to.mac, from.mac, 0, size))
				for len(chunk) < batch*(size+lengthLen) {
					chunk = append(chunk, chunk...)
				}
				perChunk := len(chunk) / (size + lengthLen)
				chunks := (b.N + perChunk - 1) / perChunk
				b.SetBytes(int64(size))
				b.ReportAllocs()
				b.ResetTimer()
				go func() {
					for range chunks {
						if _, err := in.Write(chunk); err != nil {
							return
						}
					}
				}()
				buf := make([]byte, 256<<10)
				for left := chunks * len(chunk); left > 0; {
					n, err := io.ReadAtLeast(out, buf, 1)
					if err != nil {
						b.Fatal(err)
					}
					left -= n
				}
			})
		}
	}
}
