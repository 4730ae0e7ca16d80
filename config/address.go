package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
)

// unixPrefix begins a Listen entry that is a Unix socket.
const unixPrefix = "unix:"

// tlsPrefix begins a Listen entry where clients speak TLS.
const tlsPrefix = "tls://"

// longestSocketPath is what fits in sockaddr_un on Linux, with its closing zero.
const longestSocketPath = 107

// SplitListen gives the network and the address of an entry of Config.Listen, as
// net.Listen wants them: "tcp" and host:port, or "unix" and a path.
func SplitListen(entry string) (network, address string) {
	if path, isUnix := strings.CutPrefix(entry, unixPrefix); isUnix {
		return "unix", path
	}
	return "tcp", strings.TrimPrefix(entry, tlsPrefix)
}

// ListensTLS says whether clients speak TLS on an entry of Config.Listen.
func ListensTLS(entry string) bool { return strings.HasPrefix(entry, tlsPrefix) }

// address is a checked host:port. Two that mean the same text-wise are equal.
type address struct {
	host string // lower case; IP addresses in their shortest form; "" for every interface
	port int
}

// parseAddress checks host:port. Without wildcard the host must be named and
// the port be from 1 on, as for an address to connect to. The error is the rest of a
// sentence that begins with the address.
func parseAddress(text string, wildcard bool) (address, error) {
	if err := misplaced(text); err != nil {
		return address{}, err
	}
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, errors.New("is not host:port; write for example 10.0.0.1:6379 or [2001:db8::1]:6379")
	}
	number, err := parseInt(portText)
	switch {
	case err != nil || number < 0 || number > 65535:
		return address{}, fmt.Errorf("has the port '%s'; a port is a number from 1 to 65535", portText)
	case number == 0 && !wildcard:
		return address{}, errors.New("has the port 0, which nobody can connect to; write the real port")
	case host == "" && !wildcard:
		return address{}, fmt.Errorf("has no host; write for example 127.0.0.1:%s", portText)
	}
	host, err = parseHost(host, strings.HasPrefix(text, "["))
	return address{host: host, port: int(number)}, err
}

// misplaced finds the mistakes that deserve a better answer than "not host:port".
func misplaced(text string) error {
	switch {
	case text == "":
		return errors.New("is empty; write host:port")
	case strings.Contains(text, "://"):
		return errors.New("is a URL; write only host:port")
	case strings.ContainsAny(text, " \t\r\n"):
		return errors.New("has a blank in it; write host:port, and commas between two")
	case strings.Contains(text, "@"):
		return errors.New("has a user in it; write only host:port, and set user and password in their own keys")
	case strings.HasPrefix(text, "[") && !strings.Contains(text, "]:"), !strings.Contains(text, ":"):
		return fmt.Errorf("has no port; write host:port, such as %s:6379", text)
	case strings.Count(text, ":") > 1 && !strings.HasPrefix(text, "["):
		if _, err := netip.ParseAddr(text); err == nil {
			return fmt.Errorf("is an IPv6 address without a port; write [%s]:6379", text)
		}
		return errors.New("has more than one colon; an IPv6 address needs brackets, as in [2001:db8::1]:6379")
	}
	return nil
}

// parseHost checks a name, an IPv4 address, or in brackets an IPv6 address.
func parseHost(host string, bracketed bool) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if bracketed && ip.Is4() {
			return "", fmt.Errorf("has an IPv4 address in brackets; write %s without them", host)
		}
		return ip.String(), nil
	}
	if bracketed {
		return "", fmt.Errorf("has '%s' in brackets, which is not an IPv6 address", host)
	}
	if strings.Trim(host, "0123456789.") == "" && host != "" {
		return "", fmt.Errorf("has the host '%s', which is not an IPv4 address", host)
	}
	for _, r := range strings.ToLower(host) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return "", fmt.Errorf("has the host '%s', in which %q cannot stand", host, r)
		}
	}
	if len(host) > 253 {
		return "", errors.New("has a host name of more than 253 characters")
	}
	return strings.ToLower(host), nil
}

// parseListen checks an entry of listen. A Unix socket gives the zero address.
func parseListen(entry string) (address, error) {
	network, path := SplitListen(entry)
	if network == "tcp" {
		return parseAddress(path, true)
	}
	switch {
	case !filepath.IsAbs(path):
		return address{}, errors.New("is not an absolute path; write unix:/path/to/socket")
	case strings.ContainsRune(path, 0):
		return address{}, errors.New("has a zero byte in its path")
	case len(path) > longestSocketPath:
		return address{}, fmt.Errorf("has a path of %d characters; a socket's path has at most %d", len(path), longestSocketPath)
	}
	return address{}, nil
}

// everyInterface says whether a listener on a takes the port on all addresses.
func (a address) everyInterface() bool {
	ip, err := netip.ParseAddr(a.host)
	return a.host == "" || err == nil && ip.IsUnspecified()
}

// loopback says whether only this machine can reach a.
func (a address) loopback() bool {
	ip, err := netip.ParseAddr(a.host)
	return a.host == "localhost" || err == nil && ip.IsLoopback()
}

// collides says whether a listener on a and one on b cannot both be. A name is
// compared as it is written, since to resolve it would be I/O.
func (a address) collides(b address) bool {
	return a.port == b.port && a.port != 0 &&
		(a.host == b.host || a.everyInterface() || b.everyInterface())
}

// reaches says whether a connection to a would arrive at a listener on b.
func (a address) reaches(b address) bool {
	return a.port == b.port && (a.host == b.host || a.loopback() && (b.everyInterface() || b.host == "localhost"))
}
