package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nuos/boot/image"
	"nuos/qemu"
)

// The same clients talk to the program as a Linux process, which shows that
// they ask for nothing unusual, and as an image.

func TestHosted(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "echo")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	echo, web := freePort(t), freePort(t)
	cmd := exec.Command(bin, "-echo", echo, "-web", web)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	s := server{echo: echo, web: web, own: web, transfer: 20 << 20}
	s.clients(t)
	t.Run("datagrams", s.testDatagrams)
}

func TestImage(t *testing.T) {
	file := build(t)
	for _, v := range []struct {
		name     string
		cpus     int
		transfer int
		params   []string
	}{
		{"one processor", 1, 20 << 20, nil},
		{"two processors", 2, 20 << 20, []string{"ip=dhcp"}},
		{"one processor, collecting", 1, 4 << 20, []string{"--", "-gc"}},
		{"two processors, collecting", 2, 4 << 20, []string{"ip=dhcp", "--", "-gc"}},
	} {
		t.Run(v.name, func(t *testing.T) {
			rack := boot(t, qemu.Options{
				Image:   file,
				CPUs:    v.cpus,
				MTU:     1500,
				Params:  v.params,
				Forward: []qemu.Forward{{Listen: "127.0.0.1:0", Port: 7}, {Listen: "127.0.0.1:0", Port: 80}},
			})
			at := rack.Listen()
			s := server{echo: at[0], web: at[1], own: "127.0.0.1:80", transfer: v.transfer}
			s.clients(t)
		})
	}
}

// TestUserNetwork boots the image on QEMU's own network, which has a DHCP
// server and passes datagrams.
func TestUserNetwork(t *testing.T) {
	echo, web := freePort(t), freePort(t)
	boot(t, qemu.Options{
		Image: build(t),
		NoNIC: true,
		ExtraArgs: []string{
			"-netdev", "user,id=user,hostfwd=tcp:" + echo + "-:7,hostfwd=udp:" + echo + "-:7,hostfwd=tcp:" + web + "-:80",
			"-device", "virtio-net-pci,netdev=user",
		},
	})
	s := server{echo: echo, web: web}
	s.await(t)
	s.testDatagrams(t)
	if err := s.echoOnce("a short message"); err != nil {
		t.Error(err)
	}
}

// build returns the image's file.
func build(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "echo.elf")
	res, err := image.Build(t.Context(), image.Options{Package: ".", Output: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("image: %.1f MB", float64(res.Size)/1e6)
	return file
}

// boot starts a machine that is stopped when the test ends.
func boot(t *testing.T, o qemu.Options) *qemu.Rack {
	dir, err := os.MkdirTemp("", "echo") // a short name, as sockets need
	if err != nil {
		t.Fatal(err)
	}
	o.Name, o.Dir = "echo", dir
	rack, err := qemu.Start(t.Context(), o)
	if err != nil {
		os.RemoveAll(dir)
		t.Fatal(err)
	}
	m := rack.Machine(0)
	t.Cleanup(func() {
		rack.Stop()
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("console:\n%s", m.Console())
		}
	})
	return rack
}

// freePort returns an address that nobody listens on.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// server says where the program is: its echo and its web server, and the
// latter as the program itself sees it.
type server struct {
	echo, web, own string
	transfer       int // bytes to move each way
}

func (s server) clients(t *testing.T) {
	s.await(t)
	t.Run("echo", s.testEcho)
	t.Run("requests", s.testRequests)
	t.Run("download", s.testDownload)
	t.Run("upload", s.testUpload)
	t.Run("storm", s.testStorm)
	t.Run("loopback", s.testLoopback)
	t.Run("refused", s.testRefused)
}

// await waits until the web server answers. Before the machine is up, what
// forwards its ports accepts connections and drops them.
func (s server) await(t *testing.T) {
	begun := time.Now()
	c := &http.Client{Timeout: 250 * time.Millisecond}
	for {
		resp, err := c.Get("http://" + s.web + "/")
		if err == nil {
			resp.Body.Close()
			t.Logf("answers after %v", time.Since(begun).Round(time.Millisecond))
			return
		}
		if time.Since(begun) > time.Minute {
			t.Fatalf("no answer: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// testEcho sends streams of several sizes at once and wants them back.
func (s server) testEcho(t *testing.T) {
	var wg sync.WaitGroup
	for i, size := range []int{0, 1, 1 << 10, 100_000, 1 << 20, 3 << 20} {
		wg.Go(func() {
			c, err := net.Dial("tcp", s.echo)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			wg.Go(func() {
				if _, err := io.Copy(c, io.LimitReader(&pattern{i}, int64(size))); err != nil {
					t.Errorf("sending %d bytes: %v", size, err)
				}
				c.(*net.TCPConn).CloseWrite()
			})
			if err := same(c, &pattern{i}, size); err != nil {
				t.Errorf("echo of %d bytes: %v", size, err)
			}
		})
	}
	wg.Wait()
}

// same reads r to its end and compares it with the first n bytes of want.
func same(r io.Reader, want io.Reader, n int) error {
	got, buf := make([]byte, 32<<10), make([]byte, 32<<10)
	pos := 0
	for {
		m, err := r.Read(got)
		io.ReadFull(want, buf[:m])
		if !bytes.Equal(got[:m], buf[:m]) {
			return fmt.Errorf("bytes from %d on differ", pos)
		}
		if pos += m; err == io.EOF && pos == n {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", pos, n, err)
		}
	}
}

// testDatagrams sends datagrams one by one, again when one is lost, which the
// network may do.
func (s server) testDatagrams(t *testing.T) {
	c, err := net.Dial("udp", s.echo)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make([]byte, 64<<10)
	for _, size := range []int{1, 100, 1400, 9000} {
		want := make([]byte, size)
		(&pattern{size}).Read(want)
		for tries := 1; ; tries++ {
			if _, err := c.Write(want); err != nil {
				t.Fatal(err)
			}
			c.SetReadDeadline(time.Now().Add(time.Second))
			n, err := c.Read(got)
			if err == nil && bytes.Equal(got[:n], want) {
				break
			}
			if err == nil && n == size || tries == 10 {
				t.Fatalf("echo of %d bytes, try %d: %d bytes, %v", size, tries, n, err)
			}
		}
	}
}

// testRequests makes 400 requests on 16 connections at a time.
func (s server) testRequests(t *testing.T) {
	const requests, parallel = 400, 16
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: parallel}}
	defer c.CloseIdleConnections()
	var next atomic.Int32
	var mu sync.Mutex
	var took []time.Duration
	begun := time.Now()
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for next.Add(1) <= requests {
				at := time.Now()
				body, err := get(c, "http://"+s.web+"/")
				if err != nil || !strings.HasPrefix(body, "hello, ") {
					t.Errorf("%q, %v", body, err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(at))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	if len(took) == requests {
		t.Logf("%.0f requests/s, p50 %v, p99 %v", requests/time.Since(begun).Seconds(),
			took[requests/2].Round(time.Microsecond), took[requests*99/100].Round(time.Microsecond))
	}
}

func get(c *http.Client, url string) (string, error) {
	resp, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, b)
	}
	return string(b), err
}

func (s server) testDownload(t *testing.T) {
	begun := time.Now()
	resp, err := http.Get(fmt.Sprintf("http://%s/bytes?n=%d", s.web, s.transfer))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := same(resp.Body, new(pattern), s.transfer); err != nil {
		t.Error(err)
	}
	t.Logf("%.1f MB/s", float64(s.transfer)/1e6/time.Since(begun).Seconds())
}

func (s server) testUpload(t *testing.T) {
	h := sha256.New()
	io.Copy(h, io.LimitReader(new(pattern), int64(s.transfer)))
	begun := time.Now()
	resp, err := http.Post("http://"+s.web+"/sum", "application/octet-stream", io.LimitReader(new(pattern), int64(s.transfer)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if want := fmt.Sprintf("%x %d\n", h.Sum(nil), s.transfer); err != nil || string(got) != want {
		t.Errorf("sum is %q, %v; want %q", got, err, want)
	}
	t.Logf("%.1f MB/s", float64(s.transfer)/1e6/time.Since(begun).Seconds())
}

// testStorm opens and closes connections as fast as it can.
func (s server) testStorm(t *testing.T) {
	const connections, parallel = 600, 30
	var next atomic.Int32
	var wg sync.WaitGroup
	begun := time.Now()
	for range parallel {
		wg.Go(func() {
			for n := next.Add(1); n <= connections; n = next.Add(1) {
				if err := s.echoOnce(fmt.Sprintf("connection %d", n)); err != nil {
					t.Errorf("connection %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%.0f connections/s", connections/time.Since(begun).Seconds())
}

func (s server) echoOnce(message string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", s.echo)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, message); err != nil {
		return err
	}
	got := make([]byte, len(message))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != message {
		return fmt.Errorf("echo is %q", got)
	}
	return nil
}

// testLoopback has the program fetch from itself: net.Dial in the image.
func (s server) testLoopback(t *testing.T) {
	own := url.QueryEscape("http://" + s.own + "/bytes?n=1000000")
	resp, err := http.Get("http://" + s.web + "/fetch?url=" + own)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := same(resp.Body, new(pattern), 1000000); err != nil {
		t.Error(err)
	}
}

// testRefused has the program dial a port that nobody listens on.
func (s server) testRefused(t *testing.T) {
	resp, err := http.Get("http://" + s.web + "/fetch?url=" + url.QueryEscape("http://127.0.0.1:1/"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusBadGateway || !strings.Contains(string(b), "connection refused") {
		t.Errorf("%s: %s; want connection refused", resp.Status, b)
	}
}
