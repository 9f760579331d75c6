package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// want fails the test for each regular expression that text does not match.
func want(t *testing.T, what, text string, expressions ...string) {
	t.Helper()
	for _, e := range expressions {
		if !regexp.MustCompile(e).MatchString(text) {
			t.Errorf("%s: nothing matches %q in:\n%s", what, e, text)
		}
	}
}

// output runs a program to its end.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	b, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v\n%s", cmd.Args, err, b)
	}
	return string(b)
}

// TestSeeInside looks into one machine, which runs an unchanged program with
// net/http/pprof, in every way there is, and has it crash in the end.
func TestSeeInside(t *testing.T) {
	run := nuosRun(t, "--cpus", "2", "-p", "127.0.0.1:0:8080", "--param", "GOTRACEBACK=crash", "--param", "trace=calls",
		"./testdata/programs/observed")
	address := serve(t, run)
	nuos := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
		cmd.Env = run.Env
		return output(t, cmd)
	}

	t.Run("pprof", func(t *testing.T) { seeProfiles(t, address) })
	t.Run("stat", func(t *testing.T) {
		want(t, "stat", nuos("stat"), `^2 processors, [1-9]\d* threads, `, `\n +switch +[1-9]\d* +[1-9]\d* +[1-9]\d*\n`,
			`\n +timer +[1-9]\d* `, `\n +device +[1-9]\d* `, `\n +ipi +[1-9]\d* `, `\n +fault +[1-9]\d* `,
			`\n +futex +[1-9]\d*\n`, `\n +number 472 +1 +1 not implemented \(number 472\)\n`,
			`\n +nuos:AllocMSI +[1-9]\d*\n`, `\n +Program +[1-9]\d* +\d+\.\d\n`)
	})
	t.Run("trace", func(t *testing.T) {
		want(t, "trace", nuos("trace"), `(?m)^ +\d+\.\d{6}  processor \d  thread \d+ +futex\(0x[0-9a-f]+, \.\.\.\) waits$`,
			`  futex\(0x[0-9a-f]+, \.\.\.\) = `, ` switch to thread `, ` wake thread `, ` timer\n`)
		if lines := strings.Count(nuos("trace", "-c", "7"), "\n"); lines != 7 {
			t.Errorf("trace -c 7 prints %d lines", lines)
		}
	})
	t.Run("stacks", func(t *testing.T) {
		want(t, "stacks", nuos("stacks"), stacksOfProgram...)
		if all := nuos("stacks", "-g"); strings.Contains(all, "processor 0, mode") {
			t.Errorf("stacks -g:\n%s", all)
		}
	})
	t.Run("gdb", func(t *testing.T) {
		if _, err := exec.LookPath("gdb"); err != nil {
			t.Skip("gdb is not installed")
		}
		want(t, "gdb", nuos("gdb", "--", "-batch", "-ex", "info threads", "-ex", "info kthreads", "-ex", "kthread all bt",
			"-ex", "info goroutines", "-ex", "goroutine 1 bt", "-ex", "goroutine 123456 bt"),
			`Thread 1\.2 \(CPU#1 `, `\n +\d+  processor \d  blocked in futex  runtime\.futex  runtime/`,
			`\nthread \d+:\n#0 .*\n(#.*\n)*.* runtime\.mstart`, `\n.. ?\d+ waiting +runtime\.gopark\n`,
			`\n#\d+ .*main\.main \(\) at example\.org/programs/observed/main\.go:\d+\n`)
		// The machine goes on.
		if got, err := body(http.Get("http://" + address + "/debug/pprof/cmdline")); err != nil {
			t.Errorf("after gdb: %q, %v", got, err)
		}
	})
	t.Run("dump", func(t *testing.T) {
		core := filepath.Join(t.TempDir(), "core")
		nuos("dump", core)
		want(t, "core", nuos("core", core), stacksOfProgram...)
	})
	t.Run("crash", func(t *testing.T) {
		http.Get("http://" + address + "/crash") // it may end before it answers
		dir := filepath.Join(strings.TrimPrefix(run.Env[len(run.Env)-1], "XDG_RUNTIME_DIR="), "nuos", "nuos")
		ended := make(chan struct{})
		go func() { run.Process.Wait(); close(ended) }()
		<-ended
		want(t, "core of a crash", nuos("core", filepath.Join(dir, "core-0")),
			`\ngoroutine \d+ \[running, thread \d+\]:\n(    .*\n)*    signal handler called\n(    .*\n)*    main\.crash\+.*observed/main\.go:\d+\ncreated by main\.main\.func`,
			`(?m)^processor \d, mode kernel, thread \d+:\n(    .*\n)*    nuos/kernel\.killed\+`)
	})
}

// stacksOfProgram is in every report about the program observed.
var stacksOfProgram = []string{
	`(?m)^processor 1, mode `,
	`(?m)^thread \d+ \[(running|ready|blocked in \w+, for \w+), processor \d, .* used.*\]:\n    `,
	`(?m)^goroutine 1 \[IO wait\]:\n(    .*\n)*    net/http\.ListenAndServe\b.*\n    main\.main\+.*observed/main\.go:\d+\n`,
	`(?m)^goroutine \d+ \[.*\]:\n(    .*\n)*    main\.busy\+`,
	`(?m)^the last events:\n(.*\n)*.* switch to thread `,
}

// seeProfiles reads every profile with the tools of the Go release.
func seeProfiles(t *testing.T, address string) {
	url := "http://" + address + "/debug/pprof/"
	top := func(profile string) string {
		cmd := exec.CommandContext(t.Context(), "go", "tool", "pprof", "-top", url+profile)
		cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir()) // where it keeps what it has read
		return output(t, cmd)
	}
	// How much of the profile is the busy function's is no matter of ours as long as
	// it is most.
	want(t, "CPU profile", top("profile?seconds=2"), `(?m)flat%.*\n.* main\.busy$`)
	want(t, "heap profile", top("heap"), `(?m)flat%.*\n +16384kB .* main\.hoard$`)
	want(t, "goroutine profile", top("goroutine"), `runtime\.gopark\n`, `main\.contend\n`)
	want(t, "mutex profile", top("mutex"), `sync\.\(\*Mutex\)\.Unlock`, `main\.contend\n`)
	want(t, "block profile", top("block"), `sync\.\(\*Mutex\)\.Lock`)

	file := filepath.Join(t.TempDir(), "trace")
	text, err := body(http.Get(url + "trace?seconds=1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, "trace", output(t, exec.CommandContext(t.Context(), "go", "tool", "trace", "-d=parsed", file)),
		`StateTransition .*GoID=\d+ Running->Waiting Reason="sleep"`, `main\.contend @ 0x[0-9a-f]+`)
}
