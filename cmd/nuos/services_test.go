package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Servers of public modules that take longest to build, each with a client from
// outside. They are left out with -short.

// needLong skips the test in short mode, or without the module.
func needLong(t *testing.T, module string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute to build")
	}
	needModule(t, module)
}

// buildOutside builds a command of a module for this computer.
func buildOutside(t *testing.T, module, pkg string) string {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	program := filepath.Join(dir, "program")
	for _, args := range [][]string{{"mod", "init", "outside"}, {"get", module}, {"get", pkg}, {"build", "-o", program, pkg}} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return program
}

// get is http.Get until the server is up.
func get(t *testing.T, url string) string {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(100 * time.Millisecond) {
		text, err := body(http.Get(url))
		if err == nil {
			return text
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestRunRemoteCalls has the client of gRPC's interoperability tests call their server:
// single calls, streams both ways, metadata, errors, cancelled calls and deadlines.
func TestRunRemoteCalls(t *testing.T) {
	const module = "google.golang.org/grpc@v1.70.0"
	needLong(t, module)
	client := buildOutside(t, module, "google.golang.org/grpc/interop/client")
	address := serve(t, nuosRun(t, "--cpus", "2", "-p", "127.0.0.1:0:10000", "google.golang.org/grpc/interop/server@v1.70.0"))
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
		"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
		"special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service"} {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		out, err := exec.CommandContext(ctx, client, "-server_host=127.0.0.1", "-server_port="+port, "-test_case="+c).CombinedOutput()
		cancel()
		if err != nil {
			t.Errorf("%s: %v\n%s", c, err, out)
		}
	}
}

// TestRunRaft writes and reads values of the key-value store that shows how to use
// etcd's raft, with its log in files.
func TestRunRaft(t *testing.T) {
	const module = "go.etcd.io/etcd/v3@v3.6.0"
	needLong(t, module)
	address := serve(t, nuosRun(t, "--cpus", "2", "-p", "127.0.0.1:0:9121", "go.etcd.io/etcd/v3/contrib/raftexample@v3.6.0",
		"--", "-id", "1", "-cluster", "http://127.0.0.1:9021", "-port", "9121"))
	for _, c := range [][2]string{{"/a", "first"}, {"/b", "second"}, {"/a", "third"}} {
		request, err := http.NewRequest(http.MethodPut, "http://"+address+c[0], strings.NewReader(c[1]))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusNoContent {
			t.Fatalf("PUT %s: %s", c[0], answer.Status)
		}
		// The answer comes before the value is agreed upon.
		for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
			got := ""
			if got, err = body(http.Get("http://" + address + c[0])); got == c[1] {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is %q, %v; want %q", c[0], got, err, c[1])
			}
		}
	}
}

// TestRunSlides has the web server of Go's talks render Markdown with html/template.
func TestRunSlides(t *testing.T) {
	const module = "golang.org/x/tools@v0.43.0"
	needLong(t, module)
	files := t.TempDir()
	if err := os.Mkdir(filepath.Join(files, "slides"), 0o777); err != nil {
		t.Fatal(err)
	}
	const slide = "# A talk\n\nA. Speaker\n\n## First\n\nText with *emphasis*.\n"
	if err := os.WriteFile(filepath.Join(files, "slides", "hello.slide"), []byte(slide), 0o666); err != nil {
		t.Fatal(err)
	}
	address := serve(t, nuosRun(t, "--cpus", "2", "--archive", files, "-p", "127.0.0.1:0:3999", "golang.org/x/tools/cmd/present@v0.43.0",
		"--", "-http", "0.0.0.0:3999", "-orighost", "127.0.0.1", "-content", "/slides", "-play=false"))
	for page, want := range map[string]string{
		"/hello.slide":       "<p>Text with <em>emphasis</em>.</p>",
		"/":                  "hello.slide",
		"/static/styles.css": "article",
	} {
		if got := get(t, "http://"+address+page); !strings.Contains(got, want) {
			t.Errorf("no %q in %s:\n%s", want, page, got)
		}
	}
}
