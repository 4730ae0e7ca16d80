package conformance

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// owner finds out which command of a client each reply belongs to. It learns the
// connection's state from the direct server's replies.
type owner struct {
	proto      int
	subscribed bool
	monitor    bool
	multi      bool
	queued     [][]string
	topics     map[string]map[string]bool // by kind: "", "p", "s"

	last owned // whose the last reply was
	more int   // how many more frames belong to it
}

// owned says whose a reply is.
type owned struct {
	name    string // "client|list"; "push invalidate" and "monitor" for what comes unasked
	command []string
	items   []owned // of EXEC's array
}

func ownedBy(commands [][]string) (out []owned) {
	for _, c := range commands {
		out = append(out, owned{name: nameOf(c), command: c})
	}
	return out
}

// assign gives each frame its owner. Replies to commands that get none (CLIENT REPLY
// OFF) make it lose count: then names are wrong, and only bytes that are equal pass.
func (o *owner) assign(commands [][]string, frames [][]byte) []owned {
	out := make([]owned, len(frames))
	todo := ownedBy(commands)
	o.more = 0
	for i, frame := range frames {
		if n, err := cut(frame); n > 0 && err == nil {
			out[i] = o.take(&todo, parse(frame))
		}
	}
	return out
}

// take gives one reply its owner: the first of those that are still to be answered,
// or the last one if that gets several.
func (o *owner) take(todo *[]owned, nd node) owned {
	if name := o.unasked(nd); name != "" {
		return owned{name: name}
	}
	if o.more > 0 {
		o.more--
		o.learn(o.last, nd)
		return o.last
	}
	if len(*todo) == 0 {
		return o.last
	}
	w := (*todo)[0]
	*todo = (*todo)[1:]
	if w.name == "exec" && o.multi && nd.kind == '*' && !nd.null {
		// SUBSCRIBE in a transaction has a frame for each channel: those beyond the
		// array's count come behind it.
		inner := ownedBy(o.queued)
		o.multi, o.queued, o.more = false, nil, 0
		for _, item := range nd.items {
			w.items = append(w.items, o.take(&inner, item))
		}
		*todo = slices.Concat(inner, *todo)
		return w
	}
	o.last, o.more = w, o.moreReplies(w, nd)
	o.learn(w, nd)
	return w
}

// moreReplies says how many frames follow the first one of a reply: (un)subscribing
// gives one for each name, and without names one for each that is subscribed.
func (o *owner) moreReplies(w owned, nd node) int {
	if !subscribes(w.name) || !nd.aggregate() {
		return 0
	}
	if len(w.command) == 1 {
		return max(1, len(o.topics[kindOf(w.name)])) - 1
	}
	return len(w.command) - 2
}

// kindOf tells channels, patterns and shard channels apart.
func kindOf(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, "subscribe"), "un")
}

func subscribes(name string) bool { return strings.HasSuffix(name, "subscribe") }

var monitorLine = regexp.MustCompile(`^\d+\.\d{6} \[\d+ [^]]*\] `)

// unasked names what is no reply to a command.
func (o *owner) unasked(nd node) string {
	switch nd.kind {
	case '>':
		if !subscribes(nd.word(0)) {
			return "push " + nd.word(0)
		}
	case '*':
		if word := nd.word(0); (len(nd.items) == 3 || len(nd.items) == 4) && o.subscribed && strings.HasSuffix(word, "message") {
			return "push " + word
		}
	case '+':
		if o.monitor && monitorLine.MatchString(nd.text) {
			return "monitor"
		}
	}
	return ""
}

// learn follows the state of the connection.
func (o *owner) learn(w owned, nd node) {
	switch {
	case nd.kind == '+' && nd.text == "QUEUED" && o.multi:
		o.queued = append(o.queued, w.command)
	case w.name == "multi" && nd.kind == '+':
		o.multi, o.queued = true, nil
	case w.name == "exec", w.name == "discard" && nd.kind == '+':
		o.multi, o.queued = false, nil
	case w.name == "reset" && nd.kind == '+':
		*o = owner{proto: 2}
	case w.name == "hello" && nd.kind != '-' && len(w.command) > 1:
		o.proto, _ = strconv.Atoi(w.command[1])
	case w.name == "monitor" && nd.kind == '+':
		o.monitor = true
	case subscribes(w.name) && nd.aggregate() && len(nd.items) == 3:
		o.subscribe(w.name, nd.items[1])
	}
}

// subscribe notes one (un)subscription.
func (o *owner) subscribe(name string, topic node) {
	if o.topics == nil {
		o.topics = map[string]map[string]bool{"": {}, "p": {}, "s": {}}
	}
	if set := o.topics[kindOf(name)]; strings.HasSuffix(name, "unsubscribe") {
		delete(set, topic.text)
	} else {
		set[topic.text] = true
	}
	o.subscribed = len(o.topics[""])+len(o.topics["p"])+len(o.topics["s"]) > 0
}

// containers are the commands that have subcommands.
var containers = map[string]bool{"acl": true, "client": true, "cluster": true, "command": true, "config": true, "function": true,
	"latency": true, "memory": true, "module": true, "object": true, "pubsub": true, "script": true, "slowlog": true, "xgroup": true, "xinfo": true}

// nameOf gives a command's name as COMMAND does: "get", "client|list".
func nameOf(command []string) string {
	if len(command) == 0 {
		return ""
	}
	name := strings.ToLower(command[0])
	if containers[name] && len(command) > 1 {
		name += "|" + strings.ToLower(command[1])
	}
	return name
}
