package resp

import (
	"math/big"
	"strings"
)

// reference is the slow parser that the Guard is compared with: it has all bytes at
// once, copies freely, and follows networking.c of Redis 7.0 line by line.
type reference struct {
	in     string
	limits Limits
	unauth bool
	cmds   [][]string
}

// run parses all of in. fault is the text of the error that ends it, if any.
func (r *reference) run() (cmds [][]string, fault string) {
	for r.in != "" {
		var args []string
		var done bool
		if r.in[0] == '*' {
			args, fault, done = r.multibulk()
		} else {
			args, fault, done = r.inline()
		}
		if fault != "" || !done {
			return r.cmds, fault
		}
		if len(args) == 0 {
			continue
		}
		if strings.EqualFold(args[0], "auth") && args[len(args)-1] != "wrong" {
			r.unauth = false
		}
		r.cmds = append(r.cmds, args)
	}
	return r.cmds, ""
}

// line cuts r.in at end; ok is false if it is not there, or hidden behind a NUL.
func (r *reference) line(end string) (line string, ok, tooBig bool) {
	text, _, hidden := strings.Cut(r.in, "\x00")
	line, _, ok = strings.Cut(text, end)
	if !ok && hidden || !ok {
		return "", false, len(r.in) > r.limits.MaxInline
	}
	return line, len(line) <= r.limits.MaxInline, len(line) > r.limits.MaxInline
}

func (r *reference) inline() (args []string, fault string, done bool) {
	line, ok, tooBig := r.line("\n")
	if tooBig {
		return nil, "Protocol error: too big inline request", false
	}
	if !ok {
		return nil, "", false
	}
	r.in = r.in[len(line)+1:]
	args, ok = sdssplitargs(strings.TrimSuffix(line, "\r"))
	if !ok {
		return nil, "Protocol error: unbalanced quotes in request", false
	}
	if len(args) > 0 && int64(len(AppendCommand(nil, args...))) > r.limits.MaxBuffered {
		return nil, errCommandTooBig(r.limits.MaxBuffered).Text, false
	}
	return args, "", true
}

func (r *reference) multibulk() (args []string, fault string, done bool) {
	line, ok, tooBig := r.line("\r")
	if tooBig {
		return nil, "Protocol error: too big mbulk count string", false
	}
	if !ok || len(r.in) < len(line)+2 {
		return nil, "", false
	}
	n, ok := string2ll(line[1:])
	if !ok || n > 1<<31-1 {
		return nil, "Protocol error: invalid multibulk length", false
	}
	if n > 10 && r.unauth {
		return nil, "Protocol error: unauthenticated multibulk length", false
	}
	r.in = r.in[len(line)+2:]
	size := int64(len(line) + 2)
	for ; n > 0; n-- {
		if size > r.limits.MaxBuffered {
			return nil, errCommandTooBig(r.limits.MaxBuffered).Text, false
		}
		arg, used, fault, done := r.bulk(size, len(args) >= r.limits.MaxArgs)
		if fault != "" || !done {
			return nil, fault, false
		}
		args = append(args, arg)
		if size += used; size > r.limits.MaxBuffered {
			return nil, errCommandTooBig(r.limits.MaxBuffered).Text, false
		}
	}
	return args, "", true
}

func (r *reference) bulk(before int64, tooMany bool) (arg string, used int64, fault string, done bool) {
	line, ok, tooBig := r.line("\r")
	if tooBig {
		return "", 0, "Protocol error: too big bulk count string", false
	}
	if !ok || len(r.in) < len(line)+2 {
		return "", 0, "", false
	}
	if r.in[0] != '$' {
		got := strings.NewReplacer("\r", " ", "\n", " ").Replace(r.in[:1])
		return "", 0, "Protocol error: expected '$', got '" + got + "'", false
	}
	if tooMany {
		return "", 0, "Protocol error: invalid multibulk length", false
	}
	n, ok := string2ll(line[1:])
	if !ok || n < 0 || n > r.limits.MaxBulk {
		return "", 0, "Protocol error: invalid bulk length", false
	}
	if n > 16384 && r.unauth {
		return "", 0, "Protocol error: unauthenticated bulk length", false
	}
	r.in = r.in[len(line)+2:]
	used = int64(len(line) + 2)
	if before+used+min(n, int64(len(r.in))) > r.limits.MaxBuffered {
		return "", 0, errCommandTooBig(r.limits.MaxBuffered).Text, false
	}
	if int64(len(r.in)) < n+2 {
		return "", 0, "", false
	}
	arg, r.in = r.in[:n], r.in[n+2:]
	return arg, used + n + 2, "", true
}

// string2ll does it with big numbers.
func string2ll(s string) (int64, bool) {
	v, ok := new(big.Int).SetString(s, 10)
	if !ok || v.String() != s || !v.IsInt64() {
		return 0, false
	}
	return v.Int64(), true
}

// sdssplitargs is sds.c's, with a NUL at the end as there.
func sdssplitargs(line string) (args []string, ok bool) {
	const blanks = " \t\n\v\f\r"
	s := line + "\x00"
	p := 0
	for {
		for strings.IndexByte(blanks, s[p]) >= 0 {
			p++
		}
		if s[p] == 0 {
			return args, true
		}
		arg := ""
		quote := byte(0)
		for done := false; !done; {
			c := s[p]
			switch {
			case quote != 0 && c == 0:
				return nil, false
			case quote == 0 && strings.IndexByte(" \n\r\t\x00", c) >= 0:
				done = true
				continue
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote == 0:
				arg += string([]byte{c})
			case c == quote:
				if s[p+1] != 0 && strings.IndexByte(blanks, s[p+1]) < 0 {
					return nil, false
				}
				done = true
			case quote == '\'' && strings.HasPrefix(s[p:], `\'`):
				p++
				arg += "'"
			case quote == '"' && c == '\\' && s[p+1] != 0:
				hex := strings.ToLower(s[p:min(len(s), p+4)])
				const digits = "0123456789abcdef"
				if len(hex) == 4 && hex[1] == 'x' && s[p+1] == 'x' &&
					strings.IndexByte(digits, hex[2]) >= 0 && strings.IndexByte(digits, hex[3]) >= 0 {
					arg += string([]byte{byte(strings.IndexByte(digits, hex[2])*16 + strings.IndexByte(digits, hex[3]))})
					p += 3
					break
				}
				p++
				c = s[p]
				if k := strings.IndexByte("nrtba", c); k >= 0 {
					c = "\n\r\t\b\a"[k]
				}
				arg += string([]byte{c})
			default:
				arg += string([]byte{c})
			}
			p++
		}
		args = append(args, arg)
	}
}
