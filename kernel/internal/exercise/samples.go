package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
)

// samples counts, in a profile as runtime/pprof writes it, the samples in whose
// stack the function spin appears. The format is that of profile.proto in
// github.com/google/pprof: message Profile with fields sample 2, location 4,
// function 5, string_table 6.
func samples(profile []byte) (int64, error) {
	z, err := gzip.NewReader(bytes.NewReader(profile))
	if err != nil {
		return 0, err
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		return 0, err
	}
	var strings []string
	if err := fields(raw, func(n int, _ uint64, b []byte) {
		if n == 6 {
			strings = append(strings, string(b))
		}
	}); err != nil {
		return 0, err
	}
	functions := map[uint64]bool{} // identities of spin
	fields(raw, func(n int, _ uint64, b []byte) {
		if n != 5 {
			return
		}
		var id, name uint64
		fields(b, func(n int, v uint64, _ []byte) {
			switch n {
			case 1:
				id = v
			case 2:
				name = v
			}
		})
		if name < uint64(len(strings)) && strings[name] == "main.spin" {
			functions[id] = true
		}
	})
	locations := map[uint64]bool{}
	fields(raw, func(n int, _ uint64, b []byte) {
		if n != 4 {
			return
		}
		var id uint64
		hit := false
		fields(b, func(n int, v uint64, b []byte) {
			switch n {
			case 1:
				id = v
			case 4: // line: field 1 is the function
				fields(b, func(n int, v uint64, _ []byte) { hit = hit || n == 1 && functions[v] })
			}
		})
		locations[id] = hit
	})
	total := int64(0)
	fields(raw, func(n int, _ uint64, b []byte) {
		if n != 2 {
			return
		}
		hit := false
		count := int64(-1)
		take := func(n int, v uint64) {
			switch {
			case n == 1:
				hit = hit || locations[v]
			case n == 2 && count < 0:
				count = int64(v)
			}
		}
		fields(b, func(n int, v uint64, packed []byte) {
			if packed == nil { // short lists are not packed
				take(n, v)
			}
			for len(packed) > 0 {
				v, k := binary.Uvarint(packed)
				if k <= 0 {
					return
				}
				packed = packed[k:]
				take(n, v)
			}
		})
		if hit {
			total += max(count, 0)
		}
	})
	return total, nil
}

// fields calls f for each field of a protocol buffer message.
func fields(b []byte, f func(n int, v uint64, bytes []byte)) error {
	for len(b) > 0 {
		key, k := binary.Uvarint(b)
		if k <= 0 {
			return errors.New("the profile is cut off")
		}
		b = b[k:]
		v, k := binary.Uvarint(b)
		if k <= 0 {
			return errors.New("the profile is cut off")
		}
		b = b[k:]
		switch key & 7 {
		case 0:
			f(int(key>>3), v, nil)
		case 2:
			if v > uint64(len(b)) {
				return errors.New("the profile is cut off")
			}
			f(int(key>>3), 0, b[:v])
			b = b[v:]
		default:
			return errors.New("the profile has a field of unknown kind")
		}
	}
	return nil
}
