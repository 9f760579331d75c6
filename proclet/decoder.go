package proclet

import (
	"encoding/binary"
	"fmt"
	"time"
)

// take returns the next n bytes.
func (d *decoder) take(n uintptr) ([]byte, error) {
	if n > uintptr(len(d.b)) {
		return nil, fmt.Errorf("%w: %d bytes where %d are needed", errMalformed, len(d.b), n)
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v, nil
}

// sized returns bytes that follow their length.
func (d *decoder) sized() ([]byte, error) {
	l, err := d.length(1)
	if err != nil {
		return nil, err
	}
	return d.take(uintptr(l))
}

// uint reads a varint.
func (d *decoder) uint() (uint64, error) {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, fmt.Errorf("%w: bad number", errMalformed)
	}
	d.b = d.b[n:]
	return v, nil
}

// length reads the number of things that follow, each of which takes at least
// atLeast bytes.
func (d *decoder) length(atLeast int) (int, error) {
	v, err := d.uint()
	if err == nil && v > uint64(len(d.b)/atLeast) {
		err = fmt.Errorf("%w: %d things in %d bytes", errMalformed, v, len(d.b))
	}
	return int(v), err
}

// count reads the length of a slice or map of p; ok is false if it is nil.
func (d *decoder) count(p *plan) (n int, ok bool, err error) {
	v, err := d.uint()
	if err != nil || v == 0 {
		return 0, false, err
	}
	v--
	// Every element takes a byte or more, unless the type has no size; then a
	// length alone must not make us loop for long.
	if v > uint64(len(d.b)) && (p.size != 0 || v > maxDecoded) || v*uint64(p.size) > maxDecoded {
		return 0, false, fmt.Errorf("%w: %d elements in %d bytes", errMalformed, v, len(d.b))
	}
	return int(v), true, nil
}

// flag reads a byte that is 0 or 1.
func (d *decoder) flag() (bool, error) {
	v, err := d.take(1)
	if err != nil {
		return false, err
	}
	if v[0] > 1 {
		return false, fmt.Errorf("%w: flag %d", errMalformed, v[0])
	}
	return v[0] == 1, nil
}

func (d *decoder) time() (time.Time, error) {
	sec, n := binary.Varint(d.b)
	if n <= 0 {
		return time.Time{}, fmt.Errorf("%w: bad time", errMalformed)
	}
	d.b = d.b[n:]
	nsec, err := d.uint()
	if err != nil || nsec >= 1e9 {
		return time.Time{}, fmt.Errorf("%w: bad time", errMalformed)
	}
	return time.Unix(sec, int64(nsec)).UTC(), nil
}
