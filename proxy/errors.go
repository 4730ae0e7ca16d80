package proxy

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"steadis/proxy/command"
	"steadis/proxy/hold"
)

// Every reply that steadis itself makes up stands in this file. Each error says
// who speaks, what happened to the command and what to do. LOADING is the one
// prefix that tells clients "not executed, try again later": a ConnectionError
// for redis-py, RQ and Celery, retried by go-redis and rueidis. It is used for
// nothing else than commands that were certainly not run.
const (
	replyOK      = "+OK\r\n"
	replyPong    = "+PONG\r\n"
	replyReset   = "+RESET\r\n"
	replyQueued  = "+QUEUED\r\n"
	replyNil     = "$-1\r\n"
	replyNilList = "*-1\r\n"
	replyNil3    = "_\r\n"
	replyZero    = ":0\r\n"
	replyZeros   = "*2\r\n:0\r\n:0\r\n"

	// errInDoubt answers a write that was sent and lost its reply (in_doubt: error).
	errInDoubt = "-INDOUBT steadis: the connection to the master was lost after the command was sent and before it was " +
		"answered; it may or may not have run; read the data before you repeat it\r\n"
	// errRefusedAgain answers a command that a verified master keeps refusing.
	errRefusedAgain = "-LOADING steadis: the master has refused this command several times as a replica or a loading node " +
		"would; it was not run; try again\r\n"
	// NotTLS is what a client is told that speaks no TLS where it must.
	NotTLS = "-ERR steadis: this address speaks TLS, and the client does not; connect with rediss:// or --tls\r\n"

	errClosing = "-LOADING steadis: this proxy is shutting down; the command was not run; connect again\r\n"

	// What Redis says when everything that a client caches may have changed
	// (tracking.c trackingInvalidateKeysOnFlush).
	pushInvalidateAll    = ">2\r\n$10\r\ninvalidate\r\n_\r\n"
	messageInvalidateAll = "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n"

	// Redis' own texts (7.0: networking.c, db.c, multi.c), for what is decided here.
	errNoAuth     = "-NOAUTH Authentication required.\r\n"
	errExecNoAuth = "-EXECABORT Transaction discarded because of: NOAUTH Authentication required.\r\n"
	errReadOnly   = "-READONLY You can't write against a read only replica.\r\n"
	// TooMany is what a client gets for which there is no room; its connection is closed then.
	TooMany        = errMaxClients
	errMaxClients  = "-ERR max number of clients reached\r\n"
	errNotInteger  = "-ERR value is not an integer or out of range\r\n"
	errIntRange    = "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n"
	errDBRange     = "-ERR DB index is out of range\r\n"
	errNoProto     = "-NOPROTO unsupported protocol version\r\n"
	errHelloSyntax = "-ERR Protocol version is not an integer or out of range\r\n"
	errClientName  = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"
	errSyntax      = "-ERR syntax error\r\n"
	errWrongPass   = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
	errNoPassword  = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n"
	errHelloNoAuth = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time\r\n"
	errExecAbort   = "-EXECABORT Transaction discarded because of previous errors.\r\n"
)

// errBodyLost answers a command whose large argument was on its way when the master was
// lost: it is not kept, so it cannot be sent again.
func errBodyLost(doubt bool) []byte {
	if doubt {
		return []byte(errInDoubt)
	}
	return []byte("-LOADING steadis: the connection to the master was lost while a large value was being sent to it; the command " +
		"was not run; send it again\r\n")
}

// errUnconfirmed answers a command that has run and that too few replicas have.
func errUnconfirmed(d Durable, why string) []byte {
	return fmt.Appendf(nil, "-UNCONFIRMED steadis: the command ran, but not as many replicas as durable.replicas (%d) confirmed it: %s; "+
		"what it wrote or read is lost if the master fails before a replica has it; read the data before you repeat it\r\n",
		d.Replicas, plain(why))
}

// errOutage is the reply once the hold time is over and there is still no master.
func errOutage(role, master string, o hold.Outage, now time.Time) []byte {
	if o.Since.IsZero() {
		// There is a master, but one connection to it could not be made for the whole
		// hold time.
		return inRole(role, fmt.Appendf(nil, "-LOADING steadis: no connection to the master of '%s' could be made; the command was not run; "+
			"try again later\r\n", master))
	}
	since := max(now.Sub(o.Since), 0)
	return inRole(role, fmt.Appendf(nil, "-LOADING steadis: no master for '%s' since %d s (%s); the command was not run; try again later\r\n",
		master, int(since.Seconds()), plain(o.Reason)))
}

// inRole makes a text about the master one about the node that is looked for.
func inRole(role string, text []byte) []byte {
	return bytes.Replace(text, []byte("master"), []byte(role), 1)
}

// errFull is the reply when no more commands may wait for a master.
func errFull(role, master string, l hold.Limits) []byte {
	return inRole(role, fmt.Appendf(nil, "-LOADING steadis: no master for '%s' now, and as many commands wait for one as hold_max_commands "+
		"(%d) and hold_max_bytes (%d) allow; the command was not run; try again later\r\n", master, l.Commands, l.Bytes))
}

// errRefused answers a command that would harm the deployment, or that the operator
// has denied.
func errRefused(info *command.Info) []byte {
	name, remedy := displayName(info), "connect to the Redis server itself for that"
	if info.Liftable {
		remedy = fmt.Sprintf("allow_commands '%s' in steadis' configuration lets it pass", info.Name)
	}
	return fmt.Appendf(nil, "-ERR steadis: '%s' is refused: %s; %s\r\n", plain(name), plain(info.Reason), plain(remedy))
}

// displayName is a command's name as users write it.
func displayName(info *command.Info) string { return strings.ReplaceAll(info.Name, "|", " ") }

// errSubcommand is Redis' own text (7.0 server.c commandCheckExistence).
func errSubcommand(container string, args [][]byte) []byte {
	sub := string(args[1])
	if len(sub) > 128 {
		sub = sub[:128]
	}
	return fmt.Appendf(nil, "-ERR unknown subcommand '%s'. Try %s HELP.\r\n", plain(sub), container)
}

// errInside answers what steadis does not do inside a transaction.
func errInside(name string) []byte {
	return fmt.Appendf(nil, "-ERR steadis: '%s' is not supported inside MULTI; the transaction is discarded; send it before MULTI\r\n", plain(name))
}

// errSubscribed is Redis' own text (server.c processCommand, rejectCommand).
func errSubscribed(info *command.Info) []byte {
	prefix := "ERR"
	if info.Verb == command.Exec {
		prefix = "EXECABORT Transaction discarded because of:"
	}
	return fmt.Appendf(nil, "-%s Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
		prefix, plain(info.Name))
}

// errArity is Redis' own text.
func errArity(name string) []byte {
	return fmt.Appendf(nil, "-ERR wrong number of arguments for '%s' command\r\n", plain(name))
}

// errProtocol is Redis' own text for bytes that are not RESP; the connection is
// closed behind it.
func errProtocol(text string) []byte { return fmt.Appendf(nil, "-ERR %s\r\n", plain(text)) }

// plain keeps a text from breaking the frame that it is put into.
func plain(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	if len(b) > 200 {
		b = append(b[:200], "..."...)
	}
	return string(b)
}

func bulk(s string) []byte {
	b := append(strconv.AppendInt([]byte{'$'}, int64(len(s)), 10), "\r\n"...)
	return append(append(b, s...), "\r\n"...)
}

func integer(n int64) []byte {
	return append(strconv.AppendInt([]byte{':'}, n, 10), "\r\n"...)
}
