// Package outcomes has a test of every outcome. It belongs to a module that knows
// nothing of nuos.
package outcomes

import (
	"fmt"
	"net"
	"os"
	"testing"
)

func TestPass(t *testing.T) {}

func TestSkip(t *testing.T) { t.Skip("not today") }

// listener is made before any code of the tests runs.
var listener, listenErr = net.Listen("tcp", "127.0.0.1:0")

func TestInit(t *testing.T) {
	if listenErr != nil {
		t.Fatal(listenErr)
	}
	listener.Close()
}

func TestInner(t *testing.T) {
	t.Run("good", func(t *testing.T) {})
	t.Run("bad", func(t *testing.T) { t.Error("as it should") })
}

func TestExit(t *testing.T) {
	if os.Getenv("GOROOT") == "" {
		t.Fatal("GOROOT is not set")
	}
	fmt.Println("leaving")
	os.Exit(7)
}

func TestNever(t *testing.T) {}
