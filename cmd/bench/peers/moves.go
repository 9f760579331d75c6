package main

import (
	"bufio"
	"encoding/gob"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// movePeers bring state to another process: one block, and the same bytes as many values of
// 100 bytes under keys, as a store has them.
var movePeers = []peer{
	{"block-tcp", func(d string) error { return serveAll("tcp", d, takeBlocks) }, measureBlocks},
	{"gob-tcp", func(d string) error { return serveAll("tcp", d, takeGob) }, measureGob},
	{"msgpack-tcp", func(d string) error { return serveAll("tcp", d, takeMsgpack) }, measureMsgpack},
}

var moveSizes = []int{64 << 10, 1 << 20, 16 << 20, 64 << 20}

const (
	valueSize  = 100
	mostValues = 16 << 20 // bytes in so many of them; more takes seconds
)

// store is state as many values.
type store map[string][]byte

func newStore(bytes int) store {
	s := store{}
	for i := range (bytes + valueSize - 1) / valueSize {
		v := make([]byte, valueSize)
		v[0] = byte(i)
		s[fmt.Sprintf("key:%08d", i)] = v
	}
	return s
}

// decoder and encoder are what codecs have in common.
type (
	decoder interface{ Decode(any) error }
	encoder interface{ Encode(any) error }
)

// take decodes what comes and says of each that it is there.
func take[T any](conn net.Conn, d decoder) error {
	for {
		var v T
		if err := d.Decode(&v); err != nil {
			return err
		}
		if _, err := conn.Write([]byte{1}); err != nil {
			return err
		}
	}
}

// A connection begins with what will come over it.
const (
	comesBlock = 'b'
	comesStore = 's'
)

func takeGob(conn net.Conn) error {
	return takeEncoded(conn, func(r io.Reader) decoder { return gob.NewDecoder(r) })
}

func takeMsgpack(conn net.Conn) error {
	return takeEncoded(conn, func(r io.Reader) decoder { return msgpackDecoder{msgpack.NewDecoder(r)} })
}

// msgpackDecoder has the signature of a decoder.
type msgpackDecoder struct{ *msgpack.Decoder }

func (d msgpackDecoder) Decode(v any) error { return d.Decoder.Decode(v) }

func takeEncoded(conn net.Conn, newDecoder func(io.Reader) decoder) error {
	r := bufio.NewReaderSize(conn, 64<<10)
	switch kind, err := r.ReadByte(); {
	case err != nil:
		return err
	case kind == comesBlock:
		return take[[]byte](conn, newDecoder(r))
	}
	return take[store](conn, newDecoder(r))
}

func measureGob(folder string) error {
	return measureEncoded("gob-tcp", folder, func(w io.Writer) encoder { return gob.NewEncoder(w) })
}

func measureMsgpack(folder string) error {
	return measureEncoded("msgpack-tcp", folder, func(w io.Writer) encoder { return msgpack.NewEncoder(w) })
}

func measureEncoded(name, folder string, newEncoder func(io.Writer) encoder) error {
	for _, size := range moveSizes {
		for _, values := range []bool{false, true} {
			if values && size > mostValues {
				continue
			}
			if err := measureCodec(name, folder, newEncoder, size, values); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureCodec times one encoding of state, until the other process has decoded it.
func measureCodec(name, folder string, newEncoder func(io.Writer) encoder, size int, values bool) error {
	conn, err := dial("tcp", folder)
	if err != nil {
		return err
	}
	defer conn.Close()
	w := bufio.NewWriterSize(conn, 64<<10)
	var state any = make([]byte, size)
	kind, unit := byte(comesBlock), ""
	if values {
		state, kind, unit = newStore(size), comesStore, fmt.Sprintf("/values=%d", valueSize)
	}
	w.WriteByte(kind)
	e := newEncoder(w)
	return measureMoves(name, size, unit, conn, func() error {
		if err := e.Encode(state); err != nil {
			return err
		}
		return w.Flush()
	})
}

// measureMoves times sends, each until the other process says that all is there.
func measureMoves(name string, size int, unit string, conn net.Conn, send func() error) error {
	n := min(max(16<<20/size, 2), 20)
	took, ack := make([]time.Duration, 0, n), make([]byte, 1)
	for i := range n + 1 {
		start := time.Now()
		if err := send(); err != nil {
			return err
		}
		if _, err := io.ReadFull(conn, ack); err != nil {
			return err
		}
		if i > 0 { // the first one is for warming up, and says what types there are
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	row(fmt.Sprintf("PeerMove/peer=%s/bytes=%d%s", name, size, unit), n, figure{float64(took[n/2]), "ns/op"})
	return nil
}

// measureBlocks is the least that the kernel's TCP can do: bytes from memory to memory
// that is there already.
func measureBlocks(folder string) error {
	conn, err := dial("tcp", folder)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, size := range moveSizes {
		// The bytes are others each time, so that no cache has them.
		const cold = 64 << 20
		from := make([]byte, max(size, cold))
		for i := range from {
			from[i] = byte(i)
		}
		at := 0
		if err := measureMoves("block-tcp", size, "", conn, func() error {
			head := [8]byte{}
			for i := range head {
				head[i] = byte(size >> (8 * i))
			}
			block := from[at : at+size]
			if at += size; at+size > len(from) {
				at = 0
			}
			buffers := net.Buffers{head[:], block}
			_, err := buffers.WriteTo(conn)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func takeBlocks(conn net.Conn) error {
	to := make([]byte, slices.Max(moveSizes))
	for i := range to {
		to[i] = 1 // mapped
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return err
		}
		size := 0
		for i, b := range head {
			size |= int(b) << (8 * i)
		}
		if size > len(to) {
			return fmt.Errorf("a block of %d bytes", size)
		}
		if _, err := io.ReadFull(conn, to[:size]); err != nil {
			return err
		}
		if _, err := conn.Write([]byte{1}); err != nil {
			return err
		}
	}
}
