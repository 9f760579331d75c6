package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// emulator is a monitor that answers as it is told: after the greeting, one line for
// each command, or several.
func emulator(t *testing.T, events func(Event), answers ...string) (*Client, error) {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprintln(conn, `{"QMP": {"version": {}, "capabilities": ["oob"]}}`)
		commands := json.NewDecoder(conn)
		for _, a := range append([]string{`{"return": {}}`}, answers...) {
			if commands.Decode(new(json.RawMessage)) != nil {
				return
			}
			fmt.Fprintln(conn, a)
		}
	}()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); <-done })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return New(ctx, conn.(*net.UnixConn), events)
}

func TestExecute(t *testing.T) {
	seen := make(chan Event, 4)
	c, err := emulator(t, func(e Event) { seen <- e },
		`{"timestamp": {}, "event": "RESUME"}`+"\n"+`{"return": {"status": "running", "running": true}}`,
		`{"error": {"class": "GenericError", "desc": "no such thing"}}`,
		`{"return": {}}{"event": "GUEST_PANICKED", "data": {"action": "pause"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if running, err := c.Running(); !running || err != nil {
		t.Errorf("Running = %v, %v; want true", running, err)
	}
	if e := <-seen; e.Name != "RESUME" {
		t.Errorf("event %q, want RESUME", e.Name)
	}
	var failed *CommandError
	if err := c.Stop(); !errors.As(err, &failed) || failed.Command != "stop" || failed.Reason != "no such thing" {
		t.Errorf("Stop = %v; want the emulator's error", err)
	}
	if err := c.Continue(); err != nil {
		t.Errorf("Continue = %v", err)
	}
	if e := <-seen; e.Name != "GUEST_PANICKED" || string(e.Data) != `{"action": "pause"}` {
		t.Errorf("event %s %s, want GUEST_PANICKED", e.Name, e.Data)
	}
	<-c.Done()
	if err := c.Stop(); !errors.Is(err, ErrClosed) {
		t.Errorf("a command after the end = %v; want ErrClosed", err)
	}
}

func TestRegisters(t *testing.T) {
	text := "\r\nCPU#0\r\nRAX=0000000000000001 RBX=0000000000000002\r\nRSI=0 RDI=0 RBP=00007f0000001000 RSP=00007f0000000ff0\r\n" +
		"R8 =0 R9 =0\r\nRIP=00000000004d7e5c RFL=00000246 [---Z-P-] CPL=0\r\nFS =0000 000000c000080090 ffffffff 00c00000\r\n" +
		"GS =0000 0000000000773120 00000000 00000000\r\n\r\nCPU#1\r\nRBP=0000000000000000 RSP=0000000000000008\r\nRIP=0000000000400000\r\nGS =0010 0000000000000000 00000000\r\n"
	answer, _ := json.Marshal(map[string]string{"return": text})
	c, err := emulator(t, nil, string(answer))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Registers()
	want := []Registers{{0x4d7e5c, 0x7f0000000ff0, 0x7f0000001000, 0x773120}, {0x400000, 8, 0, 0}}
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("Registers = %+v, %v; want %+v", got, err, want)
	}
}

func TestCopySparse(t *testing.T) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 1<<20+100)
	content[0], content[700_000], content[len(content)-101] = 1, 2, 3
	go func() {
		for b := content; len(b) > 0; { // in pieces that are no multiple of anything
			n := min(len(b), 999)
			to.Write(b[:n])
			b = b[n:]
		}
		to.Close()
	}()
	path := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := copySparse(f, from); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != string(content) {
		t.Errorf("the copy has %d bytes (%v) that differ from the %d copied", len(got), err, len(content))
	}
}
