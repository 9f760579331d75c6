// Command secure serves HTTP/2 over TLS, with a certificate and a key from files.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
)

func main() {
	cert := flag.String("cert", "/tls/cert.pem", "certificate")
	key := flag.String("key", "/tls/key.pem", "its key")
	address := flag.String("http", ":443", "address to serve")
	flag.Parse()
	http.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s over %s\n", r.PathValue("name"), r.Proto)
	})
	http.HandleFunc("POST /count", func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, n)
	})
	log.Fatal(http.ListenAndServeTLS(*address, *cert, *key, nil))
}
