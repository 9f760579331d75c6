//go:build !metal

package link

import "errors"

// ErrPeer says that whoever connected to the socket is no machine of this version.
var ErrPeer = errors.New("link: the other end is no machine like this one")
