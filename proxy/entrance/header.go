package entrance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The PROXY protocol, versions 1 and 2, as in
// https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt. Not a byte behind the header
// is read, so that who comes next finds the connection as the client began it.

const (
	longestV1 = 107  // with its end of line
	longestV2 = 4096 // behind the first 16 bytes; TLVs are a few hundred as a rule
)

var (
	beginV1 = []byte("PROXY ")
	beginV2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// errHeader is what every error about the header's contents is.
var errHeader = errors.New("no header of the PROXY protocol")

func headerError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errHeader, fmt.Sprintf(format, args...))
}

// named is what a header says. Both are nil if it names nobody, as for the load balancer's
// own checks.
type named struct{ source, destination net.Addr }

// readHeader reads a header. The error is io.EOF if there was not a single byte, is
// errHeader if what came is no header, and else the connection's.
func readHeader(r io.Reader) (named, error) {
	var begin [16]byte
	for n := 0; n < len(beginV2); {
		k, err := r.Read(begin[n:len(beginV2)])
		n += k
		if n > 0 && !bytes.HasPrefix(beginV2, begin[:n]) && !bytes.HasPrefix(begin[:n], beginV1[:min(n, len(beginV1))]) {
			return named{}, headerError("it begins with %q", begin[:n])
		}
		if err != nil {
			if n > 0 && err == io.EOF {
				err = headerError("it is cut off behind %d bytes", n)
			}
			return named{}, err
		}
	}
	if begin[0] == beginV1[0] {
		return readV1(r, begin[:len(beginV2)])
	}
	return readV2(r, begin[:])
}

// readV1 reads the rest of a line that begins with begin. It ends within begin only if
// it names nobody in fewer words than there are.
func readV1(r io.Reader, begin []byte) (named, error) {
	line := make([]byte, len(begin), longestV1)
	copy(line, begin)
	for !bytes.HasSuffix(line, []byte("\n")) {
		if len(line) == longestV1 {
			return named{}, headerError("its line does not end")
		}
		line = line[:len(line)+1]
		if _, err := io.ReadFull(r, line[len(line)-1:]); err != nil {
			if err == io.EOF {
				err = headerError("it is cut off behind %d bytes", len(line)-1)
			}
			return named{}, err
		}
	}
	text, ended := strings.CutSuffix(string(line), "\r\n")
	if !ended || strings.ContainsAny(text, "\r\n") {
		return named{}, headerError("its line does not end as it must: %q", line)
	}
	return parseV1(text)
}

func parseV1(line string) (named, error) {
	words := strings.Split(line, " ")
	if len(words) >= 2 && words[1] == "UNKNOWN" {
		return named{}, nil
	}
	if len(words) != 6 || words[1] != "TCP4" && words[1] != "TCP6" {
		return named{}, headerError("%q", line)
	}
	source, err := addrPort(words[2], words[4], words[1] == "TCP4")
	if err != nil {
		return named{}, headerError("%q: %v", line, err)
	}
	destination, err := addrPort(words[3], words[5], words[1] == "TCP4")
	if err != nil {
		return named{}, headerError("%q: %v", line, err)
	}
	return named{source, destination}, nil
}

var errAddress = errors.New("an address that is none")

func addrPort(host, port string, want4 bool) (*net.TCPAddr, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Is4() != want4 || ip.Zone() != "" {
		return nil, errAddress
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return nil, errAddress
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(n))), nil
}

// The parts of version 2's first bytes.
const (
	commandLocal = 0x20
	commandProxy = 0x21

	familyNone = 0x00
	familyTCP4 = 0x11
	familyTCP6 = 0x21
	familyUnix = 0x31
)

// readV2 reads what follows the signature in begin, which has room for four bytes more.
func readV2(r io.Reader, begin []byte) (named, error) {
	if err := readWhole(r, begin[len(beginV2):]); err != nil {
		return named{}, err
	}
	command, family := begin[12], begin[13]
	size := int(binary.BigEndian.Uint16(begin[14:]))
	switch {
	case command != commandLocal && command != commandProxy:
		return named{}, headerError("version and command are %#02x", command)
	case size > longestV2:
		return named{}, headerError("it announces %d bytes", size)
	}
	body := make([]byte, size)
	if err := readWhole(r, body); err != nil {
		return named{}, err
	}
	if command == commandLocal {
		return named{}, nil
	}
	switch need := map[byte]int{familyNone: 0, familyTCP4: 12, familyTCP6: 36, familyUnix: 216}; {
	case family != familyNone && need[family] == 0:
		return named{}, headerError("family and protocol are %#02x, which is no stream that Redis knows", family)
	case size < need[family]:
		return named{}, headerError("it has %d bytes for addresses of %d", size, need[family])
	}
	return parseV2(family, body), nil
}

func readWhole(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if err == io.EOF && len(p) > 0 || err == io.ErrUnexpectedEOF {
		return headerError("it is cut off")
	}
	return err
}

// parseV2 reads the addresses, which are there.
func parseV2(family byte, b []byte) named {
	tcp := func(ip, port []byte) net.Addr {
		addr, _ := netip.AddrFromSlice(ip) // 4 or 16 bytes
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(port)))
	}
	switch family {
	case familyTCP4:
		return named{tcp(b[:4], b[8:10]), tcp(b[4:8], b[10:12])}
	case familyTCP6:
		return named{tcp(b[:16], b[32:34]), tcp(b[16:32], b[34:36])}
	}
	return named{} // a path says nothing on another machine, and might have anything in it
}
