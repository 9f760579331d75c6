package balance

import "errors"

var (
	// ErrMessage means that a message of another machine cannot be understood.
	ErrMessage = errors.New("balance: malformed message")
	// ErrNotLeader means that a machine was asked for a decision that is another's.
	ErrNotLeader = errors.New("balance: this machine is not the leader")
	// ErrPressure means that a machine takes nothing because it would be short of something then, or
	// gives something itself.
	ErrPressure = errors.New("balance: no room")
)
