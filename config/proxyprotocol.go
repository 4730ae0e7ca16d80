package config

import (
	"net/netip"
	"strings"
)

// The entries of Config.ProxyProtocol that are no networks.
const (
	ProxyProtocolAll  = "*"    // everybody
	ProxyProtocolUnix = "unix" // who comes over a Unix socket
)

// ProxySenders says whose connections begin with a header of the PROXY protocol.
type ProxySenders struct {
	Networks []netip.Prefix
	Unix     bool
}

// ProxySenders gives Config.ProxyProtocol in a form that can be compared with addresses.
func (c *Config) ProxySenders() ProxySenders {
	var s ProxySenders
	for _, entry := range c.ProxyProtocol {
		switch entry {
		case ProxyProtocolAll:
			return ProxySenders{Unix: true, Networks: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
		case ProxyProtocolUnix:
			s.Unix = true
		default:
			if network, problem := parseNetwork(entry); problem == "" {
				s.Networks = append(s.Networks, network)
			}
		}
	}
	return s
}

// parseNetwork reads 10.0.0.0/8 or 10.0.0.7; problem is the rest of a sentence that
// begins with the entry.
func parseNetwork(entry string) (network netip.Prefix, problem string) {
	const write = "; write for example 10.0.0.7, 10.0.0.0/8, unix, or * for everybody"
	if !strings.Contains(entry, "/") {
		ip, err := netip.ParseAddr(entry)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, "is not an address or a network" + write
		}
		return netip.PrefixFrom(ip, ip.BitLen()), ""
	}
	network, err := netip.ParsePrefix(entry)
	switch {
	case err != nil:
		return netip.Prefix{}, "is not a network" + write
	case network != network.Masked():
		return netip.Prefix{}, "has bits set beyond its length; write " + network.Masked().String()
	}
	return network, ""
}

func (v *validation) proxyProtocol(c *Config) {
	for _, entry := range c.ProxyProtocol {
		if entry == ProxyProtocolAll || entry == ProxyProtocolUnix {
			continue
		}
		if _, problem := parseNetwork(entry); problem != "" {
			v.add("proxy_protocol", entry, problem)
		}
	}
}
