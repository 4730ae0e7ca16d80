package roster

import "bytes"

// ReplyMode is what CLIENT REPLY asks for.
type ReplyMode uint8

const (
	// ReplyOn ends the other two modes and is itself answered with OK.
	ReplyOn ReplyMode = iota
	// ReplyOff is not answered, nor is anything behind it.
	ReplyOff
	// ReplySkip is not answered, nor is the next command. While ReplyOff is on it
	// changes nothing.
	ReplySkip
)

// ParseReply reads CLIENT REPLY ON|OFF|SKIP (Redis 7.0 networking.c clientCommand).
func ParseReply(args [][]byte) (mode ReplyMode, errText string) {
	switch {
	case len(args) != 3:
		return ReplyOn, errArity("client|reply")
	case is(args[2], "on"):
		return ReplyOn, ""
	case is(args[2], "off"):
		return ReplyOff, ""
	case is(args[2], "skip"):
		return ReplySkip, ""
	}
	return ReplyOn, errSyntax
}

// ParseOnOff reads a command that has on or off as its last argument, args[at]:
// CLIENT NO-EVICT and CLIENT NO-TOUCH, where at is 2 (Redis 7.0 and 7.2 networking.c
// clientCommand).
func ParseOnOff(args [][]byte, at int) (on bool, errText string) {
	switch {
	case len(args) != at+1:
		return false, errArity(string(bytes.ToLower(bytes.Join(args[:min(len(args), 2)], []byte("|")))))
	case is(args[at], "on"):
		return true, ""
	case is(args[at], "off"):
		return false, ""
	}
	return false, errSyntax
}
