package boot

var hostParam = NewParam("host", "", "address that the program listens at; empty: all of the machine's")

// Host is the address that a server should listen at. It is empty, which means
// every address, where the machine has its network to itself. Hosted machines
// share the sockets of one computer; each is given an address of its own.
func Host() string { return hostParam.Value() }
