package kernel

// cpioFile is one member of an archive, as offsets into it.
type cpioFile struct {
	name, nameLen uint64 // without the terminating zero
	data, dataLen uint64
	mode          uint32
	next          uint64
	last          bool // the trailer
}

// cpioEntry reads the member that begins at offset at. It reports false if
// there is none, whole and well formed.
func cpioEntry(archive []byte, at uint64) (f cpioFile, ok bool) {
	const header = 110
	size := uint64(len(archive))
	if at > size || size-at < header {
		return f, false
	}
	h := archive[at : at+header]
	if string(h[:6]) != "070701" && string(h[:6]) != "070702" { // a variable would be allocated
		return f, false
	}
	var field [13]uint64
	for i := range field {
		v, ok := parseHex(h[6+i*8 : 14+i*8])
		if !ok {
			return f, false
		}
		field[i] = v
	}
	f.mode = uint32(field[1])
	f.dataLen, f.nameLen = field[6], field[11]
	f.name = at + header
	f.data = (f.name + f.nameLen + 3) &^ 3
	f.next = (f.data + f.dataLen + 3) &^ 3
	if f.nameLen == 0 || f.data > size || f.dataLen > size-f.data {
		return f, false
	}
	f.nameLen--
	if archive[f.name+f.nameLen] != 0 {
		return f, false
	}
	f.last = string(archive[f.name:f.name+f.nameLen]) == "TRAILER!!!"
	return f, true
}

func parseHex(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | uint64(c-'A'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
