package qemu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"nuos/qemu/tor"
	"nuos/rack"
)

// The test binary is also the image of hosted machines, and a launcher that
// gets killed; its first argument says so.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && strings.HasPrefix(os.Args[1], "?rack=") {
		os.Exit(beMachine(os.Args[1:]))
	}
	if dir := os.Getenv("TEST_LAUNCHER_DIR"); dir != "" {
		os.Exit(beLauncher(dir))
	}
	os.Exit(m.Run())
}

// beMachine does what the parameter do= says.
func beMachine(words []string) int {
	word := map[string]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(strings.TrimPrefix(w, "?"), "=")
		word[name] = value
	}
	fmt.Printf("machine of %s at %s\n", word["rack"], word["ip"])
	fmt.Printf("network %s, processors %d\n", word["nic"], runtime.NumCPU())
	if code, ok := strings.CutPrefix(word["do"], "exit:"); ok {
		n, _ := strconv.Atoi(code)
		return n
	}
	if word["do"] == "join" {
		if _, err := rack.Join(rack.Config{}); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	select {} // until killed
}

// beLauncher runs a rack until it is told to stop.
func beLauncher(dir string) int {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	o := Options{Image: os.Args[0], Hosted: true, Machines: 2, Dir: dir}
	if image := os.Getenv("TEST_LAUNCHER_IMAGE"); image != "" {
		o.Image, o.Hosted, o.Accel = image, false, "tcg"
	}
	r, err := Start(ctx, o)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("started")
	<-ctx.Done()
	if err := r.Stop(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func self(t *testing.T) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// shortDir is like t.TempDir, but its name leaves room for sockets in it.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "rack")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func startRack(t *testing.T, o Options) *Rack {
	if o.Dir == "" {
		o.Dir = shortDir(t)
	}
	if o.Image == "" {
		o.Image, o.Hosted = self(t), true
	}
	r, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed of the faults: %#x", r.Seed)
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Errorf("Stop = %v", err)
		}
	})
	return r
}

var hello = regexp.MustCompile(`machine of (\S+) at 10\.77\.0\.(\d+)`)

func TestHostedRack(t *testing.T) {
	r := startRack(t, Options{Name: "one", Machines: 3})
	var pids []int
	for i, m := range r.Machines() {
		match, err := m.WaitConsole(deadline(t), hello)
		if err != nil {
			t.Fatal(err)
		}
		if match[1] != "one" || match[2] != strconv.Itoa(10+i) {
			t.Errorf("machine %d said %q", i, match[0])
		}
		p, _ := m.current()
		pids = append(pids, p.cmd.Process.Pid)
	}
	if err := r.Machine(1).Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Machine(1).Wait(deadline(t)); !errors.Is(err, ErrKilled) {
		t.Errorf("Wait after Kill = %v; want ErrKilled", err)
	}
	if err := r.Machine(1).Restart(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Machine(1).WaitConsole(deadline(t), hello); err != nil {
		t.Fatal(err)
	}
	if n := len(r.serving(Forward{Port: 80, Only: []int{2}})); n != 1 {
		t.Errorf("%d machines serve what machine 2 is to serve; want 1", n)
	}
	if n := len(r.serving(Forward{Port: 80})); n != 3 {
		t.Errorf("%d machines serve after a restart; want 3", n)
	}
	m, err := r.AddMachine()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.WaitConsole(deadline(t), regexp.MustCompile(`10\.77\.0\.13/24`)); err != nil {
		t.Fatal(err)
	}
	dir := r.Dir
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, dir, pids)
	if log, err := os.ReadFile(filepath.Join(dir, "console-1.log")); err != nil || strings.Count(string(log), "machine of") != 2 {
		t.Errorf("the console log of two incarnations is %q, %v", log, err)
	}
	if err := r.Machine(0).Restart(); !errors.Is(err, ErrStopped) {
		t.Errorf("Restart after Stop = %v; want ErrStopped", err)
	}
}

// checkNothingLeft fails unless all those processes and all sockets are gone.
// It waits for processes, which end at once but are reaped by somebody else.
func checkNothingLeft(t *testing.T, dir string, pids []int) {
	t.Helper()
	until := time.Now().Add(30 * time.Second)
	for _, pid := range pids {
		for alive(pid) {
			if time.Now().After(until) {
				t.Fatalf("process %d is still there", pid)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.sock"))
	if len(left) > 0 {
		t.Errorf("sockets left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(dir, stateFile)); err == nil {
		t.Errorf("%s left", stateFile)
	}
}

// alive reports whether a process runs; one that nobody has reaped does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestPause(t *testing.T) {
	r := startRack(t, Options{})
	m := r.Machine(0)
	if _, err := m.WaitConsole(deadline(t), hello); err != nil {
		t.Fatal(err)
	}
	p, _ := m.current()
	stopped := func() bool {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		return strings.Contains(string(stat), ") T ")
	}
	for _, pause := range []bool{true, false} {
		do := m.Resume
		if pause {
			do = m.Pause
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		for ctx := deadline(t); stopped() != pause; time.Sleep(time.Millisecond) {
			if ctx.Err() != nil {
				t.Fatalf("the machine's process does not change; want stopped = %v", pause)
			}
		}
	}
	// A paused machine can be stopped.
	if err := m.Pause(); err != nil {
		t.Fatal(err)
	}
}

func TestParametersOfHostedMachine(t *testing.T) {
	words, env := splitEnvironment([]string{"rack=a", "GOGC=50", "idle=poll", "--", "-x", "Y=1"})
	if got := strings.Join(words, " "); got != "rack=a idle=poll -- -x Y=1" {
		t.Errorf("words %q", got)
	}
	if got := strings.Join(env, " "); got != "GOGC=50" {
		t.Errorf("environment %q", got)
	}
}

// TestLinkedRack has a cable between two machines, each on a processor of its own.
func TestLinkedRack(t *testing.T) {
	r := startRack(t, Options{Machines: 2, Link: true, Pin: true})
	want := "network link:" + filepath.Join(r.Dir, "link.sock") + ", processors 1"
	for _, m := range r.Machines() {
		if _, err := m.WaitConsole(deadline(t), regexp.MustCompile("(?m)^"+regexp.QuoteMeta(want)+"$")); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.AddMachine(); err == nil {
		t.Error("a cable took a third machine")
	}
	for _, o := range []Options{
		{Image: self(t), Machines: 2, Link: true},
		{Image: self(t), Machines: 3, Link: true, Hosted: true},
		{Image: self(t), Machines: 2, Link: true, Hosted: true, Faults: tor.Faults{Loss: 0.1}},
		{Image: self(t), Pin: true},
	} {
		if r, err := Start(t.Context(), o); err == nil {
			t.Errorf("%+v was started", o)
			r.Stop()
		}
	}
}

// TestObserve looks at a rack, from a port of its switch, also when its machines are joined by a cable.
func TestObserve(t *testing.T) {
	for _, linked := range []bool{false, true} {
		r := startRack(t, Options{Machines: 2, Link: linked, Params: []string{"do=join"}})
		running, err := Attach(r.Dir)
		if err != nil {
			t.Fatal(err)
		}
		o, err := running.Observe()
		if err != nil {
			t.Errorf("linked %v: %v\n%s\n%s", linked, err, r.Machine(0).Console(), r.Machine(1).Console())
			continue
		}
		for deadline := deadline(t); len(o.Members()) != 2; {
			if deadline.Err() != nil {
				t.Errorf("linked %v: %d members; want 2", linked, len(o.Members()))
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, m := range o.Members() {
			if _, err := o.Call(deadline(t), m.ID, rack.ServiceStatus, nil); err != nil {
				t.Errorf("linked %v: machine %d: %v", linked, m.ID, err)
			}
		}
		o.Close()
		r.Stop()
	}
}

func TestHostedExitCode(t *testing.T) {
	_, code, err := Run(deadline(t), Options{Image: self(t), Hosted: true, Dir: shortDir(t), Params: []string{"do=exit:42"}})
	if code != 42 || err != nil {
		t.Errorf("Run = %d, %v; want 42", code, err)
	}
}

func TestContextEndsRack(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := Start(ctx, Options{Image: self(t), Hosted: true, Dir: shortDir(t), Machines: 2})
	if err != nil {
		t.Fatal(err)
	}
	p, _ := r.Machine(0).current()
	cancel()
	if _, err := r.Machine(0).Wait(deadline(t)); !errors.Is(err, ErrKilled) {
		t.Errorf("Wait = %v; want ErrKilled", err)
	}
	r.Stop() // waits for the one that the context began
	checkNothingLeft(t, r.Dir, []int{p.cmd.Process.Pid})
}

func TestOneRackPerFolder(t *testing.T) {
	r := startRack(t, Options{})
	_, err := Start(context.Background(), Options{Image: self(t), Hosted: true, Dir: r.Dir})
	if !errors.Is(err, ErrRunning) {
		t.Errorf("second Start = %v; want ErrRunning", err)
	}
	if !r.Machine(0).Running() {
		t.Error("the second Start hurt the first rack")
	}
}

func TestConsoleEndsWithMachine(t *testing.T) {
	r := startRack(t, Options{Params: []string{"do=exit:3"}})
	_, err := r.Machine(0).WaitConsole(deadline(t), regexp.MustCompile("never said"))
	if err == nil || !strings.Contains(err.Error(), "machine of nuos") || !strings.Contains(err.Error(), r.Dir) {
		t.Errorf("WaitConsole = %v; want an error with the last lines and the folder", err)
	}
}
