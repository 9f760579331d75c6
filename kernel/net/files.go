package net

import (
	"os"

	"nuos/kernel"
)

// What Go's package net reads of /etc, unless the boot archive has its own.
// resolv.conf comes with the machine's address (start.go). Numbers
// are IANA's; Go knows most of these services itself, other programs read the file.
const (
	hosts = `127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
`
	protocols = `ip	0	IP
icmp	1	ICMP
igmp	2	IGMP
tcp	6	TCP
udp	17	UDP
ipv6	41	IPv6
ipv6-icmp	58	IPv6-ICMP
sctp	132	SCTP
`
	services = `discard	9/tcp
discard	9/udp
ftp	21/tcp
ssh	22/tcp
telnet	23/tcp
smtp	25/tcp
domain	53/tcp
domain	53/udp
tftp	69/udp
gopher	70/tcp
http	80/tcp
pop3	110/tcp
ntp	123/udp
imap2	143/tcp	imap
snmp	161/udp
ldap	389/tcp
https	443/tcp
https	443/udp
submission	587/tcp
submissions	465/tcp	smtps
ldaps	636/tcp
domain-s	853/tcp
ftps	990/tcp
imaps	993/tcp
pop3s	995/tcp
`
)

func setFiles() {
	for _, f := range [...]struct{ path, content string }{
		{"/etc/hosts", hosts}, {"/etc/protocols", protocols}, {"/etc/services", services},
	} {
		if _, err := os.Stat(f.path); err == nil {
			continue
		}
		kernel.SetFile(f.path, []byte(f.content))
	}
}
