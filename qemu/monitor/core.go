package monitor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// SaveCore writes the machine's physical memory and the registers of its
// processors to a new file, in QEMU's form of an ELF core. Pages of zeros take no
// room in it. The machine stands still meanwhile. When it fails there is no file.
func (c *Client) SaveCore(path string) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("monitor: core: %w", err)
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			os.Remove(path)
		}
	}()
	from, to, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("monitor: core: %w", err)
	}
	const name = "core"
	err = c.pass(name, to.Fd())
	to.Close()
	if err != nil {
		from.Close()
		return err
	}
	copied := make(chan error, 1)
	go func() {
		err := copySparse(file, from)
		from.Close() // so that QEMU does not wait for somebody to read when the disk is full
		copied <- err
	}()
	err = c.Execute("dump-guest-memory", map[string]any{"paging": false, "protocol": "fd:" + name}, nil)
	if err != nil {
		c.Execute("closefd", map[string]string{"fdname": name}, nil) // so that copySparse ends; it may be closed already
	}
	return errors.Join(err, <-copied)
}

// copySparse copies until the end of from and leaves holes where there is nothing
// but zeros.
func copySparse(to *os.File, from io.Reader) error {
	const block = 4096
	buffer, zeros := make([]byte, 64*block), make([]byte, block)
	size := int64(0)
	for {
		n, err := io.ReadFull(from, buffer)
		for b := buffer[:n]; len(b) > 0; {
			piece := b[:min(len(b), block)]
			if !bytes.Equal(piece, zeros[:len(piece)]) {
				if _, err := to.WriteAt(piece, size); err != nil {
					return err
				}
			}
			size += int64(len(piece))
			b = b[len(piece):]
		}
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return to.Truncate(size)
		case err != nil:
			return err
		}
	}
}
