// Echo serves what shows whether a machine's sockets work: an echo of every
// TCP connection and every datagram on port 7, and on port 80 a web server.
//
//	GET  /            a greeting
//	GET  /bytes?n=N   N bytes of a pattern that depends on the position
//	POST /sum         the SHA-256 of the body and how long it was
//	GET  /fetch?url=  what another web server says, this one included
//	GET  /collect     how many garbage collections there were so far
//
// With the argument -gc it collects garbage all the time.
package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"runtime"
	"strconv"
)

var (
	echoAddr = flag.String("echo", ":7", "address of the echo")
	webAddr  = flag.String("web", ":80", "address of the web server")
	collect  = flag.Bool("gc", false, "collect garbage all the time")
)

func main() {
	flag.Parse()
	if *collect {
		go func() {
			for {
				runtime.GC()
			}
		}()
	}
	l, err := net.Listen("tcp", *echoAddr)
	if err != nil {
		log.Fatal(err)
	}
	// The port that was asked for, or else found, for datagrams too.
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	web, err := net.Listen("tcp", *webAddr)
	if err != nil {
		log.Fatal(err)
	}
	go echoStreams(l)
	go echoDatagrams(p)
	log.Printf("echo on %s, web on %s", l.Addr(), web.Addr())
	log.Fatal(http.Serve(web, handler()))
}

func echoStreams(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			log.Printf("echo: %v", err)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		go func() {
			defer c.Close()
			if _, err := io.Copy(c, c); err != nil {
				log.Printf("echo to %s: %v", c.RemoteAddr(), err)
			}
		}()
	}
}

func echoDatagrams(p net.PacketConn) {
	b := make([]byte, 64<<10)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			log.Printf("echo: %v", err)
			return
		}
		if _, err := p.WriteTo(b[:n], from); err != nil {
			log.Printf("echo to %s: %v", from, err)
		}
	}
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s\n", r.RemoteAddr)
	})
	mux.HandleFunc("GET /bytes", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil || n < 0 {
			http.Error(w, "n must be a number of bytes", http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(n))
		io.Copy(w, io.LimitReader(new(pattern), int64(n)))
	})
	mux.HandleFunc("POST /sum", func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		n, err := io.Copy(h, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%x %d\n", h.Sum(nil), n)
	})
	mux.HandleFunc("GET /fetch", func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.Get(r.FormValue("url"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	})
	mux.HandleFunc("GET /collect", func(w http.ResponseWriter, r *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintln(w, m.NumGC)
	})
	return mux
}

// pattern is an endless stream of bytes that depend on their position.
type pattern struct{ pos int }

func (p *pattern) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(p.pos*7 + p.pos>>9)
		p.pos++
	}
	return len(b), nil
}
