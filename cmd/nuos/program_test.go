package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Programs that know nothing of nuos, run by the command as people type it.

// asCommand, in the environment, makes the test binary the command.
const asCommand = "NUOS_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// limit is for machines and builds that hang.
const limit = 8 * time.Minute

// nuosRun is `nuos run` with a rack of its own.
func nuosRun(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp("", "nuos") // a short name: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{"run"}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1", "XDG_RUNTIME_DIR="+dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// finish runs cmd to its end.
func finish(t *testing.T, cmd *exec.Cmd) (output string, status int) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.ReplaceAll(string(out), "\r", ""), cmd.ProcessState.ExitCode()
}

// serve starts cmd, which publishes one port, and returns where that is answered
// when it is.
func serve(t *testing.T, cmd *exec.Cmd) (address string) {
	t.Helper()
	var output strings.Builder
	var mu sync.Mutex
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = writer(func(p []byte) {
		mu.Lock()
		defer mu.Unlock()
		output.Write(p)
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	ended := make(chan struct{})
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		<-ended
		cmd.Wait()
		if t.Failed() {
			t.Logf("console:\n%s", output.String())
		}
	})
	published := regexp.MustCompile(`of the rack is (\S+) here`)
	for lines.Scan() {
		fmt.Fprintln(cmd.Stdout, lines.Text())
		if m := published.FindStringSubmatch(lines.Text()); m != nil {
			address = m[1]
		}
		if strings.HasSuffix(lines.Text(), "  "+readyWord) {
			go func() {
				io.Copy(cmd.Stdout, out)
				close(ended)
			}()
			return address
		}
	}
	close(ended)
	t.Fatal("the rack did not become ready")
	return ""
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// TestRunWords gives a program of another module arguments, environment and files,
// and gets its exit status.
func TestRunWords(t *testing.T) {
	files := t.TempDir()
	if err := os.MkdirAll(filepath.Join(files, "greeting"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(files, "greeting", "file"), []byte("from a file"), 0o666); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "words.elf")
	build := exec.Command("/proc/self/exe", "build", "-o", image, "./testdata/programs/words")
	build.Env = append(os.Environ(), asCommand+"=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("nuos build: %v\n%s", err, out)
	}
	for _, c := range []struct {
		status int
		args   []string
	}{
		{7, []string{"7", "two words", `a "quote"`, "", `back\slash`, `c:\a dir\`, "-flag", "--", "NAME=x", "tab\tand 'single'", "größer"}},
		{0, []string{"0"}},
	} {
		const greeting = `good "old" day`
		args := append([]string{"--archive", files, "--param", "GREETING=" + greeting, image, "--"}, c.args...)
		output, status := finish(t, nuosRun(t, args...))
		_, line, _ := strings.Cut(output, "started with ")
		line, _, _ = strings.Cut(line, "\n")
		var got struct {
			Args           []string
			Greeting, File string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v; output:\n%s", err, output)
		}
		if !slices.Equal(got.Args, c.args) || got.Greeting != greeting || got.File != "from a file" {
			t.Errorf("the program was started with %q, want arguments %q, greeting %q", got, c.args, greeting)
		}
		if status != c.status {
			t.Errorf("exit status %d, want %d", status, c.status)
		}
	}
	output, status := finish(t, nuosRun(t, image, "--", strings.Repeat("x", 5000)))
	if status != 1 || !strings.Contains(output, "4096 bytes") {
		t.Errorf("arguments that are too long: status %d, %s", status, output)
	}
}

// TestRunTLS speaks HTTP/2 over TLS with a program of another module.
func TestRunTLS(t *testing.T) {
	files := t.TempDir()
	roots := writeCertificate(t, filepath.Join(files, "tls"), "nuos.test")
	address := serve(t, nuosRun(t, "--cpus", "2", "--archive", files, "-p", "127.0.0.1:0:443", "./testdata/programs/secure"))
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "nuos.test"}, ForceAttemptHTTP2: true,
	}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for i := range 8 { // on one connection
		all.Go(func() {
			want := fmt.Sprintf("hello %d over HTTP/2.0\n", i)
			if got, err := body(client.Get(fmt.Sprintf("https://%s/hello/%d", address, i))); err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
			data := bytes.Repeat([]byte("x"), 100_000*i)
			want = fmt.Sprintf("%d\n", len(data))
			if got, err := body(client.Post("https://"+address+"/count", "text/plain", bytes.NewReader(data))); err != nil || got != want {
				t.Errorf("%d bytes were counted as %q, %v", len(data), got, err)
			}
		})
	}
	all.Wait()
}

func body(r *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(r.Status))
	}
	return string(b), err
}

// writeCertificate makes one that signs itself, in dir, and returns it as a root.
func writeCertificate(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		text := pem.EncodeToMemory(block)
		roots.AppendCertsFromPEM(text)
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return roots
}

// needModule skips the test if a module cannot be had.
func needModule(t *testing.T, module string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "mod", "download", module)
	cmd.Dir = t.TempDir() // in no module
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("the Go module proxy does not give %s: %v\n%s", module, err, out)
	}
}

// TestRunMetrics scrapes an unchanged program of a public module.
func TestRunMetrics(t *testing.T) {
	needModule(t, "github.com/prometheus/client_golang@v1.23.2")
	address := serve(t, nuosRun(t, "--cpus", "2", "-p", "127.0.0.1:0:8080",
		"github.com/prometheus/client_golang/examples/random@v1.23.2", "--", "-uniform.domain=0.002"))
	metrics, err := body(http.Get("http://" + address + "/metrics"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"rpc_durations_seconds_count", "rpc_durations_histogram_seconds_bucket", `go_build_info{checksum="`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics:\n%s", want, metrics)
		}
	}
}

// TestRunDatabase has an unchanged program write a database, through files and a
// mapping of them, and read it back.
func TestRunDatabase(t *testing.T) {
	needModule(t, "go.etcd.io/bbolt@v1.4.0")
	output, status := finish(t, nuosRun(t, "--cpus", "2", "go.etcd.io/bbolt/cmd/bbolt@v1.4.0", "--",
		"bench", "-count", "2000", "-batch-size", "500", "-write-mode", "rnd"))
	if status != 0 || !regexp.MustCompile(`(?s)# Write\s+2000.*# Read\s+[1-9]\d*`).MatchString(output) {
		t.Errorf("status %d:\n%s", status, output)
	}
}
