package upstream

import (
	"bytes"

	"steadis/proxy/resp"
)

// verdict is what an error reply says of the node that sent it.
type verdict uint8

const (
	noVerdict verdict = iota // an error like any other: it goes to the client
	demotes                  // the node is a replica: the command did not run, nor will those behind it
	refuses                  // the node cannot serve now: this command did not run
)

// The errors that prove "not executed" and have to do with a failover (Redis
// 7.0 server.c processCommand, blocked.c disconnectAllBlockedClients): all of
// them are raised before the command runs.
var verdicts = []struct {
	text []byte
	verdict
}{
	{[]byte("-READONLY "), demotes},
	{[]byte("-MASTERDOWN "), demotes},
	{[]byte("-UNBLOCKED force unblock"), demotes}, // not "client unblocked via CLIENT UNBLOCK"
	{[]byte("-EXECABORT Transaction discarded because of: READONLY "), demotes},
	{[]byte("-EXECABORT Transaction discarded because of: MASTERDOWN "), demotes},
	{[]byte("-EXECABORT Transaction discarded because of: LOADING "), refuses},
	{[]byte("-LOADING "), refuses},
}

// readOnly is the one sentence that a script's reply is believed: Redis' own. A
// script that was stopped by it has its tail (Redis 7.0 script_lua.c
// luaCallFunction); one that handed it on, or was not begun, has none. It ran, if
// at all, on a replica, where it can have written nothing.
var readOnly = []byte("-READONLY You can't write against a read only replica.")

// verdictOn reads a frame that answers call. A script may answer any text, and so
// may a command that is not known: these prove nothing about the node, or anyone
// else's call, but that one sentence, which proves that this call is to be sent to
// a master.
func verdictOn(call Call, frame []byte) verdict {
	switch {
	case frame[0] != '-':
		return noVerdict
	case call.Trusted():
		return judge(frame)
	}
	if tail, ok := bytes.CutPrefix(frame, readOnly); ok &&
		(bytes.Equal(tail, crlf) || bytes.HasPrefix(tail, scriptTail)) {
		return refuses
	}
	return noVerdict
}

var (
	crlf       = []byte("\r\n")
	scriptTail = []byte(" script: ")
)

// judge reads an error frame.
func judge(frame []byte) verdict {
	switch frame[1] {
	case 'R', 'M', 'U', 'E', 'L':
	default:
		return noVerdict
	}
	for _, v := range verdicts {
		if bytes.HasPrefix(frame, v.text) {
			return v.verdict
		}
	}
	return noVerdict
}

// The heads of the frames that a subscribed RESP2 connection gets without having
// asked (Redis 7.0 pubsub.c addReplyPubsubMessage, addReplyPubsubPatMessage).
var messageHeads = [][]byte{
	[]byte("*3\r\n$7\r\nmessage\r\n"),
	[]byte("*4\r\n$8\r\npmessage\r\n"),
	[]byte("*3\r\n$8\r\nsmessage\r\n"),
}

// IsMessage says whether a frame is a message: a push of RESP3 or, with plain, an array of
// RESP2, which on a connection without subscriptions would be a command's reply.
func IsMessage(frame []byte, plain bool) bool {
	if frame[0] != '>' && (!plain || frame[0] != '*') {
		return false
	}
	for _, head := range messageHeads {
		if bytes.HasPrefix(frame[1:], head[1:]) {
			return true
		}
	}
	return false
}

// messagesIn counts the messages in a reply. Redis 7.0 puts those that an EXEC publishes
// to its own client in front of the reply of the command that does (pubsub.c
// addReplyPubsubMessage; 7.2 puts them behind it all), so that as many elements of the
// array come when it seems to be over.
func messagesIn(frame []byte, plain bool) (n int32) {
	if frame[0] != '*' || !bytes.Contains(frame, []byte("message\r\n")) {
		return 0
	}
	for _, element := range resp.Elements(frame) {
		if IsMessage(element, plain) {
			n++
		}
	}
	return n
}

// isMonitored says whether a line is one that MONITOR shows: +1339518083.107412 [0
// 127.0.0.1:60866] "keys" "*" (Redis 7.0 replication.c replicationFeedMonitors).
func isMonitored(frame []byte) bool {
	i := 1
	for i < len(frame) && (frame[i] >= '0' && frame[i] <= '9' || frame[i] == '.') {
		i++
	}
	return i > 1 && bytes.HasPrefix(frame[i:], []byte(" ["))
}

// isNull says whether a frame is a null of RESP2 or RESP3.
func isNull(frame []byte) bool {
	return frame[0] == '_' || len(frame) > 1 && frame[1] == '-' && (frame[0] == '*' || frame[0] == '$')
}
