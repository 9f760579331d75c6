package nic

import (
	"crypto/rand"
	"fmt"
	"strings"
)

// MAC is an Ethernet address. It is a type of its own, not net.HardwareAddr,
// because an image that imports package net is given a socket stack with it.
type MAC [6]byte

// Broadcast is the address of everybody on the segment.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// ParseMAC reads xx:xx:xx:xx:xx:xx.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	// String of what was read must be what was written, which refuses what
	// Sscanf lets pass: blanks, signs, single digits, more text.
	n, err := fmt.Sscanf(s, "%02x:%02x:%02x:%02x:%02x:%02x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5])
	if err != nil || n != 6 || !strings.EqualFold(m.String(), s) {
		return MAC{}, fmt.Errorf("nic: %q is no Ethernet address xx:xx:xx:xx:xx:xx", s)
	}
	return m, nil
}

// RandomMAC returns an address for a card that has none of its own: one of those
// that anybody may take, unicast (IEEE 802, 8.4).
func RandomMAC() (m MAC) {
	rand.Read(m[:])
	m[0] = m[0]&^1 | 2
	return m
}
