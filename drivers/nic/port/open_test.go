//go:build !metal

package port

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOpenDeviceErrors(t *testing.T) {
	for _, c := range []struct {
		param string
		want  error
	}{
		{"", ErrNoNIC},
		{"vhost-user:", ErrParameter},
		{"0000:00:03.0", ErrParameter},
		{"vhost-user:" + filepath.Join(t.TempDir(), "none"), os.ErrNotExist},
	} {
		if _, err := openDevice(c.param); !errors.Is(err, c.want) {
			t.Errorf("openDevice(%q) = %v; want %v", c.param, err, c.want)
		}
	}
}
