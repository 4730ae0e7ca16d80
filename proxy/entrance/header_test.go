package entrance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
)

// v2 makes a header of version 2.
func v2(command, family byte, body ...byte) string {
	head := append([]byte{}, beginV2...)
	head = append(head, command, family)
	head = binary.BigEndian.AppendUint16(head, uint16(len(body)))
	return string(append(head, body...))
}

func tcp4(source, destination string) []byte {
	s, d := netip.MustParseAddrPort(source), netip.MustParseAddrPort(destination)
	b := append(s.Addr().AsSlice(), d.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, s.Port()), d.Port())
}

var headers = []struct {
	name, bytes, want string // want: source and destination, "" for nobody, "!..." for an error
}{
	{"v1 over IPv4", "PROXY TCP4 10.0.0.1 10.0.0.2 51000 6379\r\n", "10.0.0.1:51000 10.0.0.2:6379"},
	{"v1 over IPv6", "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n", "[2001:db8::1]:1 [::1]:65535"},
	{"v1 of nobody", "PROXY UNKNOWN\r\n", ""},
	{"v1 of nobody, with addresses", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", ""},
	{"the longest v1", "PROXY UNKNOWN " + strings.Repeat("x", longestV1-16) + "\r\n", ""},
	{"a v1 that is too long", "PROXY UNKNOWN " + strings.Repeat("x", longestV1-15) + "\r\n", "!its line does not end"},
	{"v1 without CR", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n", "!does not end as it must"},
	{"v1 with a CR too many", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\r\n", "!does not end as it must"},
	{"v1 with the wrong family", "PROXY TCP4 2001:db8::1 ::1 1 2\r\n", "!an address that is none"},
	{"v1 with a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "!an address that is none"},
	{"v1 with a port too large", "PROXY TCP4 10.0.0.1 10.0.0.2 65536 2\r\n", "!an address that is none"},
	{"v1 with a padded port", "PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n", "!an address that is none"},
	{"v1 with a blank too many", "PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n", "!no header"},
	{"v1 of UDP", "PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n", "!no header"},
	{"v1, cut off", "PROXY TCP4 10.0.0.1", "!cut off behind 19 bytes"},
	{"v1, cut off early", "PROXY", "!cut off behind 5 bytes"},
	{"a command", "PING\r\n", `!it begins with`},
	{"a multibulk command", "*1\r\n$4\r\nPING\r\n", "!it begins with"},
	{"a ClientHello", "\x16\x03\x01\x02\x00\x01\x00", "!it begins with"},
	{"v1 in lower case", "proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "!it begins with"},

	{"v2 over IPv4", v2(commandProxy, familyTCP4, tcp4("10.0.0.1:51000", "10.0.0.2:6379")...), "10.0.0.1:51000 10.0.0.2:6379"},
	{"v2 with TLVs", v2(commandProxy, familyTCP4, append(tcp4("10.0.0.1:1", "10.0.0.2:2"), 4, 0, 3, 'a', 'b', 'c')...), "10.0.0.1:1 10.0.0.2:2"},
	{"v2 over IPv6", v2(commandProxy, familyTCP6, append(bytes.Repeat([]byte{0x20}, 32), 0, 1, 0, 2)...),
		"[2020:2020:2020:2020:2020:2020:2020:2020]:1 [2020:2020:2020:2020:2020:2020:2020:2020]:2"},
	{"v2 of a check", v2(commandLocal, familyNone), ""},
	{"v2 of a check, with addresses", v2(commandLocal, familyTCP4, tcp4("10.0.0.1:1", "10.0.0.2:2")...), ""},
	{"v2 of nobody", v2(commandProxy, familyNone, 1, 2, 3), ""},
	{"v2 over a Unix socket", v2(commandProxy, familyUnix, make([]byte, 216)...), ""},
	{"v2 over UDP", v2(commandProxy, 0x12, make([]byte, 12)...), "!family and protocol are 0x12"},
	{"v2 with too few bytes", v2(commandProxy, familyTCP4, 1, 2, 3), "!it has 3 bytes for addresses of 12"},
	{"v2 with too many bytes", v2(commandProxy, familyTCP4, make([]byte, longestV2+1)...), "!it announces 4097 bytes"},
	{"v3", v2(0x31, familyTCP4, make([]byte, 12)...), "!version and command are 0x31"},
	{"v2 with an unknown command", v2(0x22, familyTCP4, make([]byte, 12)...), "!version and command are 0x22"},
	{"v2, cut off in its signature", string(beginV2[:7]), "!cut off behind 7 bytes"},
	{"v2, cut off behind its signature", string(beginV2), "!cut off"},
	{"v2, cut off in its addresses", v2(commandProxy, familyTCP4, tcp4("10.0.0.1:1", "10.0.0.2:2")...)[:20], "!cut off"},
}

func TestHeaders(t *testing.T) {
	for _, tt := range headers {
		for _, piecewise := range []bool{false, true} {
			const behind = "PING\r\n"
			all := tt.bytes
			if !strings.Contains(tt.name, "cut off") {
				all += behind
			}
			under := strings.NewReader(all)
			var r io.Reader = under
			if piecewise {
				r = iotest.OneByteReader(under)
			}
			said, err := readHeader(r)
			got := ""
			switch {
			case err != nil:
				got = "!" + err.Error()
				if !errors.Is(err, errHeader) {
					t.Errorf("%s: %v is not about the header", tt.name, err)
				}
			case said.source != nil:
				got = said.source.String() + " " + said.destination.String()
			}
			want, wantErr := strings.CutPrefix(tt.want, "!")
			if wantErr != (err != nil) || wantErr && !strings.Contains(got, want) || !wantErr && got != want {
				t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
			}
			if rest, _ := io.ReadAll(under); err == nil && string(rest) != behind {
				t.Errorf("%s: %q is left, want %q", tt.name, rest, behind)
			}
		}
	}
	if _, err := readHeader(strings.NewReader("")); err != io.EOF {
		t.Errorf("nothing at all: %v", err)
	}
}

// FuzzHeader: no header does harm, takes a byte of what follows, or names half a client.
func FuzzHeader(f *testing.F) {
	for _, tt := range headers {
		f.Add([]byte(tt.bytes))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		said, err := readHeader(r)
		if (said.source == nil) != (said.destination == nil) || err != nil && said.source != nil {
			t.Fatalf("%v %v %v", said.source, said.destination, err)
		}
		if err != nil {
			return
		}
		used := data[:len(data)-r.Len()]
		again, err := readHeader(iotest.OneByteReader(bytes.NewReader(append(append([]byte{}, used...), 0xff, '\n'))))
		if err != nil || (said.source == nil) != (again.source == nil) {
			t.Fatalf("%q is read differently with other bytes behind it: %v", used, err)
		}
		if said.source != nil {
			if _, err := netip.ParseAddrPort(said.source.String()); err != nil {
				t.Fatalf("%q names %v", used, said.source)
			}
		}
	})
}
