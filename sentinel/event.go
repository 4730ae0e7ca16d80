package sentinel

import (
	"strings"
)

// event is a Pub/Sub message of a Sentinel, taken apart. The formats are those
// of Redis 7.0 sentinel.c sentinelEvent:
//
//	+switch-master <name> <old ip> <old port> <new ip> <new port>
//	<event> master <name> <ip> <port> [text]
//	<event> <type> <name> <ip> <port> @ <master name> <ip> <port> [text]
//	+new-epoch <epoch>, +vote-for-leader <runid> <epoch>, +tilt #text
type event struct {
	// name is the channel: "+try-failover".
	name string
	// master is the name of the master that it is about, empty if it is about
	// none (+new-epoch).
	master string
	// kind is the type of the instance: master, slave, sentinel; empty if none.
	kind string
	// subject is the address of that master when the event was made (the old
	// one for +switch-master), after the address map; empty if it is unusable.
	subject string
}

// channels are the events that steadis subscribes to, by name and not by
// pattern, so that an ACL can allow just these. Polling covers what a future
// version may add.
var channels = []string{
	"+sdown", "-sdown", "+odown", "-odown", "+new-epoch", "+try-failover",
	"+elected-leader", "+selected-slave", "+promoted-slave",
	"+failover-state-reconf-slaves", "+failover-state-select-slave",
	"+failover-state-send-slaveof-noone", "+failover-state-wait-promotion",
	"-failover-abort-master-timeout", "-failover-abort-no-good-slave",
	"-failover-abort-not-elected", "-failover-abort-slave-timeout",
	"-failover-abort-x-sdown", "+failover-end", "+failover-end-for-timeout",
	"+config-update-from", "+switch-master", "+monitor", "-monitor",
	"+reset-master", "+sentinel", "+tilt", "-tilt",
}

const (
	maxChannel = 64
	maxPayload = 2048
)

// parseEvent takes a message apart. Payloads are not trusted: everything is
// bounded, and ok is false for what is not one of Sentinel's formats.
func parseEvent(o *Options, channel, payload string) (ev event, ok bool) {
	if channel == "" || len(channel) > maxChannel || len(payload) > maxPayload {
		return event{}, false
	}
	ev.name = bounded(channel, maxChannel)
	words := strings.Fields(payload)
	switch channel {
	case "+new-epoch", "+vote-for-leader", "+tilt", "-tilt":
		return ev, true
	case "+switch-master":
		if len(words) != 5 {
			return event{}, false
		}
		ev.kind, ev.master = "master", words[0]
		ev.subject, _ = o.dialable(words[1], words[2])
		return ev, true
	}
	if len(words) < 4 {
		return event{}, false
	}
	ev.kind = bounded(words[0], maxChannel)
	if ev.kind == "master" {
		ev.master = words[1]
		ev.subject, _ = o.dialable(words[2], words[3])
		return ev, true
	}
	if len(words) < 8 || words[4] != "@" {
		return event{}, false
	}
	ev.master = words[5]
	ev.subject, _ = o.dialable(words[6], words[7])
	return ev, true
}

// beginsFailover: the event says that a failover of its master has begun or is
// about to. +try-failover is the earliest event of a forced failover and comes
// 131 to 296 ms before SLAVEOF NO ONE (measured); a hold that begins later loses
// acknowledged writes. -sdown and the like never end a hold: Valkey sets and
// clears s_down in mid-failover.
func (e event) beginsFailover() bool {
	return e.kind == "master" && (e.name == "+try-failover" || e.name == "+odown")
}

// isStage: the event is a step on the way of one failover.
func (e event) isStage() bool {
	switch e.name {
	case "+elected-leader", "+selected-slave", "+promoted-slave":
		return true
	}
	return strings.HasPrefix(e.name, "+failover-state-")
}

// isStep: the event belongs into the story of one failover.
func (e event) isStep() bool {
	return e.isStage() || e.beginsFailover() || e.name == "+switch-master" || e.name == "+config-update-from"
}

// concernsAll: every Sentinel should be asked at once, because what the others
// say may have changed as well.
func (e event) concernsAll() bool {
	switch e.kind {
	case "", "master":
		return true
	}
	return e.name == "+promoted-slave" || e.name == "+config-update-from"
}
