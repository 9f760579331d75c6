package kernel

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

// member is a cpio member as the format has it.
func member(name string, mode uint32, data string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
	b.WriteString(name + "\x00")
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
	b.WriteString(data)
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
	return b.Bytes()
}

func TestCPIO(t *testing.T) {
	archive := bytes.Join([][]byte{
		member("etc", 0o40755, ""),
		member("etc/motd", 0o100644, "welcome"),
		member("TRAILER!!!", 0, ""),
	}, nil)
	at := uint64(0)
	for _, want := range []struct {
		name, data string
		mode       uint32
		last       bool
	}{{"etc", "", 0o40755, false}, {"etc/motd", "welcome", 0o100644, false}, {"TRAILER!!!", "", 0, true}} {
		f, ok := cpioEntry(archive, at)
		name := string(archive[f.name : f.name+f.nameLen])
		data := string(archive[f.data : f.data+f.dataLen])
		if !ok || name != want.name || data != want.data || f.mode != want.mode || f.last != want.last {
			t.Errorf("member at %d = %q %q %o %v %v; want %+v", at, name, data, f.mode, f.last, ok, want)
		}
		at = f.next
	}
	if _, ok := cpioEntry(archive, at); ok {
		t.Error("there is a member behind the end")
	}
	for cut := range archive {
		if f, ok := cpioEntry(archive[:cut], 0); ok && f.next > uint64(cut)+3 {
			t.Errorf("cut at %d: the next member is at %d", cut, f.next)
		}
	}
}

func FuzzCPIO(f *testing.F) {
	f.Add(member("a", 0o100644, "b"))
	f.Add(member("TRAILER!!!", 0, ""))
	f.Fuzz(func(t *testing.T, archive []byte) {
		for at := uint64(0); ; {
			e, ok := cpioEntry(archive, at)
			if !ok {
				return
			}
			_ = archive[e.name : e.name+e.nameLen]
			_ = archive[e.data : e.data+e.dataLen]
			if e.next <= at {
				t.Fatalf("the member at %d is followed by one at %d", at, e.next)
			}
			at = e.next
		}
	})
}

func TestDaysSince1970(t *testing.T) {
	for d := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2110; d = d.AddDate(0, 0, 1) {
		got := daysSince1970(int64(d.Year()), int64(d.Month()), int64(d.Day()))
		if want := d.Unix() / 86400; got != want {
			t.Fatalf("daysSince1970(%v) = %d; want %d", d, got, want)
		}
	}
}
