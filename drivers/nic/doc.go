// Package nic defines what a polled network card is. Each subpackage is one
// device; port is the machine's own card with its poller, shared by all who
// speak on it.
package nic
