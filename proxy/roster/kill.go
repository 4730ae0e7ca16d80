package roster

import (
	"strconv"
	"time"
)

// KillRequest says which clients CLIENT KILL closes. Only ParseKill makes one that
// matches anybody.
type KillRequest struct {
	// Old is the form CLIENT KILL addr, with a reply of its own.
	Old bool
	// Users are the names after USER, in their order; the last one counts. Redis
	// refuses a name that it does not know: see UnknownUser.
	Users []string

	valid  bool
	skipMe bool
	// Each of these selects only if it is not its zero value; addresses only with by.
	id              uint64
	maxAge          int64 // seconds
	byAddr, byLAddr bool
	addr, laddr     string
	byKind          bool
	kind            Kind
}

// ParseKill reads CLIENT KILL addr, the old form, and CLIENT KILL with one or more
// of ID id, TYPE type, USER name, ADDR addr, LADDR addr, MAXAGE seconds and SKIPME
// yes|no; of one that is there twice the last counts (Redis 7.0 and, for MAXAGE, 7.4
// networking.c clientCommand). An argument of the old form is an address, even if it
// is one of these words.
//
// It takes every user for one that exists. With an error text the request matches
// nobody, but its Users still are those named before the error.
func ParseKill(args [][]byte) (k KillRequest, errText string) {
	switch {
	case len(args) < 3:
		return KillRequest{}, errArity("client|kill")
	case len(args) == 3:
		return KillRequest{Old: true, valid: true, byAddr: true, addr: string(cString(args[2]))}, ""
	}
	k.skipMe = true
	for i := 2; i < len(args); i += 2 {
		if i+1 == len(args) {
			return k, errSyntax
		}
		if errText = k.option(args[i], args[i+1]); errText != "" {
			return k, errText
		}
	}
	k.valid = true
	return k, ""
}

// option takes one filter of the new form.
func (k *KillRequest) option(word, value []byte) (errText string) {
	switch {
	case is(word, "id"):
		id, ok := integer(value)
		if !ok || id < 1 {
			return errKillID
		}
		k.id = uint64(id)
	case is(word, "maxage"):
		seconds, ok := integer(value)
		if !ok {
			return errMaxAge
		}
		if seconds < 1 {
			return errMaxAgeRange
		}
		k.maxAge = seconds
	case is(word, "type"):
		kind, ok := ParseKind(value)
		if !ok {
			return errKind(value)
		}
		k.byKind, k.kind = true, kind
	case is(word, "addr"):
		k.byAddr, k.addr = true, string(cString(value))
	case is(word, "laddr"):
		k.byLAddr, k.laddr = true, string(cString(value))
	case is(word, "user"):
		k.Users = append(k.Users, string(value))
	case is(word, "skipme"):
		switch {
		case is(value, "yes"):
			k.skipMe = true
		case is(value, "no"):
			k.skipMe = false
		default:
			return errSyntax
		}
	default:
		return errSyntax
	}
	return ""
}

// UnknownUser returns the error reply for the first of Users that exists does not
// know, or "". Redis checks a name where it stands, so this text goes before the one
// that ParseKill returned with the request.
func (k KillRequest) UnknownUser(exists func(name string) bool) (errText string) {
	for _, name := range k.Users {
		if !exists(name) {
			return fault("No such user '", []byte(name), "'")
		}
	}
	return ""
}

// Match says whether the request closes c; self is the caller's id. Without SKIPME
// no the caller is spared, in the old form it is not. The caller's own connection is
// to be closed only behind the reply.
func (k KillRequest) Match(c *Client, self uint64) bool {
	switch {
	case !k.valid,
		k.skipMe && c.ID == self,
		k.id != 0 && c.ID != k.id,
		k.byAddr && or(c.Addr, noAddr) != k.addr,
		k.byLAddr && or(c.LAddr, noAddr) != k.laddr,
		k.byKind && c.kind() != k.kind,
		k.maxAge != 0 && int64(c.Age/time.Second) < k.maxAge:
		return false
	}
	if n := len(k.Users); n > 0 {
		return c.User != "" && c.User == k.Users[n-1]
	}
	return true
}

// AppendReply appends the reply to a request by which that many clients were closed:
// their number, in the old form +OK or -ERR No such client.
func (k KillRequest) AppendReply(dst []byte, closed int) []byte {
	switch {
	case !k.Old:
		return append(strconv.AppendInt(append(dst, ':'), int64(closed), 10), "\r\n"...)
	case closed == 0:
		return append(dst, errNoSuchClient...)
	}
	return append(dst, "+OK\r\n"...)
}
