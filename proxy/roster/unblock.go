package roster

// ParseUnblock reads CLIENT UNBLOCK id [TIMEOUT|ERROR] (Redis 7.0 networking.c
// clientCommand). The reply is 1 if the client with that id is blocked and may time
// out, else 0; any number is a valid id, and one that was negative is beyond any
// client's. withError asks for -UNBLOCKED at the blocked client, otherwise it gets
// what its command says when its time is over.
func ParseUnblock(args [][]byte) (id uint64, withError bool, errText string) {
	switch {
	case len(args) < 3:
		return 0, false, errArity("client|unblock")
	case len(args) > 4:
		return 0, false, fault("unknown subcommand or wrong number of arguments for '", args[1], "'. Try CLIENT HELP.")
	case len(args) == 4 && is(args[3], "error"):
		withError = true
	case len(args) == 4 && !is(args[3], "timeout"):
		return 0, false, errUnblockReason
	}
	n, ok := integer(args[2])
	if !ok {
		return 0, false, errNotInteger
	}
	return uint64(n), withError, ""
}
