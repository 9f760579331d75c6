// Package images holds bootable programs, one folder each. It has no code of
// its own.
//
//	hello     says what it runs on, and ends
//	echo      TCP, UDP and HTTP servers: whether sockets work
//	kv        a Redis-compatible store on proclets
//	kmeans    points into clusters, by workers and shards that move, with the result of one machine
//	measure   what calls and moves cost between two machines
//	osbench   what system calls, threads and pauses cost, here and on Linux
//	wanderer  a thread that walks round the rack in the middle of a recursion
//	soak      everything at once for as long as one likes, and whether anything is lost
//	suite     checks of what proclets promise, on three machines
//
// Each is an ordinary main package that also runs hosted. Nothing in them is
// specific to a machine: nuos build adds the one file that links the kernel in.
// A line //nuos:machines N in a main package is how many machines nuos run starts.
package images
