package tor

import "errors"

var (
	// ErrClosed: the switch, the port or the device was closed.
	ErrClosed = errors.New("tor: closed")

	// ErrProtocol: a peer broke the framing or the vhost-user protocol, or
	// pointed outside its own memory. It is disconnected; nobody else is hurt.
	ErrProtocol = errors.New("tor: protocol violation by the peer")
)
