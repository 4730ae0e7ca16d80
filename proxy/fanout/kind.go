package fanout

import (
	"bytes"
)

// Kind tells what a name is: a channel, a pattern or a shard channel. The three
// have nothing to do with each other, even if the names are the same.
type Kind uint8

const (
	Channels Kind = iota // SUBSCRIBE, message
	Patterns             // PSUBSCRIBE, pmessage
	Shards               // SSUBSCRIBE, smessage; works without a cluster, too

	kinds = 3
)

// String gives the kind in the word that tests and logs use.
func (k Kind) String() string {
	return [kinds]string{"channels", "patterns", "shards"}[k]
}

var (
	subscribeVerbs   = [kinds]string{"SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"}
	unsubscribeVerbs = [kinds]string{"UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"}

	// The heads of messages to a RESP2 connection (Redis 7.0 pubsub.c
	// addReplyPubsubMessage, addReplyPubsubPatMessage). What comes next is the
	// name that was subscribed: for a pmessage the pattern.
	messageHeads = [kinds][]byte{
		[]byte("*3\r\n$7\r\nmessage\r\n"),
		[]byte("*4\r\n$8\r\npmessage\r\n"),
		[]byte("*3\r\n$8\r\nsmessage\r\n"),
	}
)

// parseMessage returns which subscription a frame is a message for. The name is
// part of frame. It returns false for anything else.
func parseMessage(frame []byte) (Kind, []byte, bool) {
	for kind, head := range messageHeads {
		if rest, ok := bytes.CutPrefix(frame, head); ok {
			name, ok := firstBulk(rest)
			return Kind(kind), name, ok
		}
	}
	return 0, nil, false
}

// firstBulk returns the bulk string that b begins with.
func firstBulk(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != '$' {
		return nil, false
	}
	n, i := 0, 1
	for ; i < len(b) && '0' <= b[i] && b[i] <= '9'; i++ {
		if n = 10*n + int(b[i]-'0'); n > len(b) {
			return nil, false
		}
	}
	end := i + 2 + n
	if i == 1 || len(b) < end+2 || b[i] != '\r' || b[i+1] != '\n' || b[end] != '\r' || b[end+1] != '\n' {
		return nil, false
	}
	return b[i+2 : end], true
}
