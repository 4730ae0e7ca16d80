package roster

import "strings"

// Redis' own error replies (7.0: networking.c, object.c, server.c; MAXAGE: 7.4).
const (
	errSyntax        = "-ERR syntax error\r\n"
	errNotInteger    = "-ERR value is not an integer or out of range\r\n"
	errListID        = "-ERR Invalid client ID\r\n"
	errKillID        = "-ERR client-id should be greater than 0\r\n"
	errMaxAge        = "-ERR maxage is not an integer or out of range\r\n"
	errMaxAgeRange   = "-ERR maxage should be greater than 0\r\n"
	errNoSuchClient  = "-ERR No such client\r\n"
	errUnblockReason = "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n"
)

// fault returns an error reply that repeats arg. As Redis 7.0 networking.c
// addReplyErrorFormat does, it ends arg at a NUL and makes blanks of CR and LF.
func fault(before string, arg []byte, after string) string {
	var b strings.Builder
	arg = cString(arg)
	b.Grow(len("-ERR ") + len(before) + len(arg) + len(after) + len("\r\n"))
	b.WriteString("-ERR ")
	b.WriteString(before)
	for _, c := range arg {
		if c == '\r' || c == '\n' {
			c = ' '
		}
		b.WriteByte(c)
	}
	b.WriteString(after)
	b.WriteString("\r\n")
	return b.String()
}

// errArity answers a wrong number of arguments; name is the command's full name
// (Redis 7.0 server.c commandCheckArity).
func errArity(name string) string {
	return fault("wrong number of arguments for '", []byte(name), "' command")
}

func errKind(word []byte) string { return fault("Unknown client type '", word, "'") }
