package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// profile is a kind of random sequence: what its clients say, and how often.
type profile struct {
	name    string
	clients int
	words   []weighted
}

// weighted is a command with places to fill, in the grammar of generator.fill. A !
// in front says that it has a line for itself. There is no tracking of broadcasts:
// Redis sends their invalidations at the end of a turn of its loop, so that in a
// pipeline their place depends on chance; the dialogues have them.
type weighted struct {
	weight int
	text   string
}

func equally(weight int, texts ...string) (out []weighted) {
	for _, text := range texts {
		out = append(out, weighted{weight, text})
	}
	return out
}

func join(groups ...[]weighted) (out []weighted) {
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

var (
	stringWords = equally(3, "SET {s} {v}", "GET {s}", "SET {s} {n}", "INCR {s}", "INCRBY {s} {n}", "APPEND {s} {v}", "STRLEN {s}", "GETRANGE {s} {n} {n}",
		"SETRANGE {s} 2 {v}", "MGET {s} {s} {l}", "MSET {s} {v} {s} {n}", "SETNX {s} {v}", "GETSET {s} {v}", "GETDEL {s}", "SET {s} {v} GET",
		"SET {s} {v} EX 1000", "DECR {s}", "INCRBYFLOAT {s} 0.5", "SETBIT {s} {m} 1", "BITCOUNT {s}", "GETEX {s} PERSIST", "MSETNX {s} a {s} b")
	listWords = equally(2, "RPUSH {l} {v} {n}", "LPUSH {l} {v}", "LPOP {l}", "RPOP {l} 2", "LRANGE {l} 0 -1", "LLEN {l}", "LINDEX {l} {n}", "LREM {l} 0 {v}",
		"LTRIM {l} 0 5", "LMOVE {l} {l} LEFT RIGHT", "RPOPLPUSH {l} {l}", "LINSERT {l} BEFORE {n} {v}", "LPOS {l} {n}", "LMPOP 2 {l} {l} LEFT", "LSET {l} 0 {v}")
	setWords = equally(2, "SADD {S} {m} {m}", "SREM {S} {m}", "SMEMBERS {S}", "SISMEMBER {S} {m}", "SCARD {S}", "SINTER {S} {S}", "SUNIONSTORE {S} {S} {S}",
		"SDIFF {S} {S}", "SMISMEMBER {S} {m} {m}", "SMOVE {S} {S} {m}", "SINTERCARD 2 {S} {S}", "SRANDMEMBER {S}")
	zsetWords = equally(2, "ZADD {z} {n} {m} {n} {m}", "ZRANGE {z} 0 -1 WITHSCORES", "ZSCORE {z} {m}", "ZINCRBY {z} 1.5 {m}", "ZPOPMIN {z}", "ZRANK {z} {m}",
		"ZRANGEBYSCORE {z} -inf +inf", "ZUNIONSTORE {z} 2 {z} {z}", "ZREM {z} {m}", "ZCOUNT {z} 0 5", "ZMSCORE {z} {m} {m}", "ZADD {z} INCR {n} {m}")
	hashWords   = equally(2, "HSET {h} {m} {w}", "HGET {h} {m}", "HGETALL {h}", "HDEL {h} {m}", "HINCRBY {h} {m} {n}", "HLEN {h}", "HMGET {h} {m} {m}", "HKEYS {h}", "HSETNX {h} {m} {w}")
	streamWords = equally(1, "XADD {x} {id} f {v}", "XRANGE {x} - +", "XLEN {x}", "XREAD COUNT 2 STREAMS {x} 0", "XREAD BLOCK 10 STREAMS {x} $",
		"XGROUP CREATE {x} g 0 MKSTREAM", "XREADGROUP GROUP g c{m} COUNT 1 STREAMS {x} >", "XACK {x} g {id}", "XDEL {x} {id}", "XTRIM {x} MAXLEN 3")
	keyWords = equally(1, "DEL {a} {a}", "EXISTS {a} {a}", "TYPE {a}", "RENAME {a} {a}", "COPY {a} {a}", "EXPIRE {a} 1000", "PERSIST {a}", "TTL {a}", "OBJECT ENCODING {a}",
		"DBSIZE", "KEYS *", "SCAN 0 COUNT 1000", "SORT {l} ALPHA", "TOUCH {a}", "FLUSHDB", "MOVE {a} {db}", "SWAPDB {db} {db}", "UNLINK {a}")
	errorWords = equally(1, "NOSUCH {v}", "GET", "SET {s}", "GET {s} {s}", "CONFIG NOSUCH", "HSET {h} a", "{v} {v}", "CLIENT", "OBJECT NOSUCH {a}")
	blockWords = equally(1, "BLPOP {l} {l} 0.01", "BRPOP {l} 0.01", "BLMOVE {l} {l} LEFT RIGHT 0.01", "BZPOPMIN {z} 0.01", "BLMPOP 0.01 1 {l} LEFT", "BZMPOP 0.01 1 {z} MAX",
		"BRPOPLPUSH {l} {l} 0.01", "WAIT 0 1", "XREADGROUP GROUP g c1 BLOCK 10 STREAMS {x} >", "BLPOP {l} x")
	scriptWords = equally(1, "EVAL {lua} 1 {s} {v}", "EVAL {lua} 1 {l} {v}", "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "SCRIPT LOAD {lua}",
		"SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "SCRIPT FLUSH", "EVAL_RO {lua} 1 {s} {v}", "EVALSHA x 0",
		"EVAL \"return redis.call('PUBLISH','ch1',ARGV[1])\" 0 {v}")
	transactionWords = equally(9, "MULTI", "MULTI", "EXEC", "EXEC", "DISCARD", "WATCH {a}", "WATCH {a} {a}", "UNWATCH")
	connectionWords  = equally(4, "SELECT {db}", "RESET", "PING", "PING {v}", "ECHO {v}", "SELECT x", "CLIENT SETNAME conf-{m}", "CLIENT GETNAME")
	protocolWords    = equally(3, "!HELLO 2", "!HELLO 3", "HELLO", "!HELLO 3 SETNAME conf-x", "HELLO 9")
	messageWords     = equally(6, "SUBSCRIBE {ch}", "SUBSCRIBE {ch} {ch}", "UNSUBSCRIBE", "UNSUBSCRIBE {ch}", "PSUBSCRIBE {ch}*", "PUNSUBSCRIBE", "PUBLISH {ch} {v}", "PUBLISH {ch} {n}",
		"SSUBSCRIBE {ch}", "SUNSUBSCRIBE", "SPUBLISH {ch} {v}", "PUBSUB NUMSUB {ch}", "PUBSUB NUMPAT")
	trackWords = equally(5, "!CLIENT TRACKING ON", "!CLIENT TRACKING OFF", "!CLIENT TRACKING ON NOLOOP", "!CLIENT TRACKING ON OPTIN", "CLIENT CACHING YES", "CLIENT TRACKINGINFO", "CLIENT GETREDIR")
	otherWords = equally(2, "CLIENT KILL ID ${{c}.id}", "CLIENT UNBLOCK ${{c}.id}", "CLIENT NO-EVICT ON", "CLIENT INFO", "CLIENT LIST ID ${{c}.id}", "CLIENT ID", "QUIT", "AUTH x", "ROLE", "READONLY", "ASKING")
	muteWords  = equally(6, "CLIENT REPLY ON", "CLIENT REPLY OFF", "CLIENT REPLY SKIP", "CLIENT REPLY ON")
)

// profiles differ in what they put together, so that a fault in one thing does not
// hide the others.
var profiles = []profile{
	{"data", 3, join(stringWords, listWords, setWords, zsetWords, hashWords, streamWords, keyWords, errorWords, blockWords, scriptWords, connectionWords)},
	{"transactions", 3, join(stringWords, listWords, keyWords, errorWords, scriptWords, connectionWords, transactionWords, transactionWords, blockWords)},
	{"transactions in RESP3", 3, join(stringWords, hashWords, zsetWords, errorWords, connectionWords, transactionWords, protocolWords)},
	{"messages", 4, join(stringWords, listWords, errorWords, connectionWords, messageWords, messageWords)},
	{"messages and protocols", 4, join(stringWords, setWords, messageWords, messageWords, protocolWords, transactionWords, blockWords)},
	{"tracking", 3, join(stringWords, listWords, keyWords, scriptWords, trackWords, trackWords, protocolWords, transactionWords)},
	{"clients", 4, join(stringWords, listWords, connectionWords, otherWords, protocolWords, blockWords, transactionWords)},
	{"replies off", 2, join(stringWords, listWords, muteWords, connectionWords, transactionWords)},
	{"everything", 4, join(stringWords, listWords, setWords, zsetWords, hashWords, streamWords, keyWords, errorWords, blockWords, scriptWords, connectionWords, transactionWords, messageWords, trackWords, protocolWords, otherWords)},
}

// generator makes sequences of one profile; equal seeds make equal ones.
type generator struct {
	profile
	*rand.Rand
	total int
	ids   int
}

func newGenerator(p profile, seed, n uint64) *generator {
	g := &generator{profile: p, Rand: rand.New(rand.NewPCG(seed, n))}
	for _, w := range p.words {
		g.total += w.weight
	}
	return g
}

// sequence makes a dialogue of so many lines.
func (g *generator) sequence(lines int) (out []listed, commands int) {
	for i := range lines {
		n := 1
		if g.IntN(3) == 0 {
			n += g.IntN(6)
		}
		var parts []string
		for range n {
			one, alone := strings.CutPrefix(g.command(), "!")
			if alone {
				parts = []string{one}
				break
			}
			parts = append(parts, one)
		}
		commands += len(parts)
		out = append(out, listed{i + 1, g.who() + "> " + strings.Join(parts, " ; ")})
	}
	return out, commands
}

func (g *generator) who() string { return string(rune('A' + g.IntN(g.clients))) }

func (g *generator) command() string {
	at := g.IntN(g.total)
	for _, w := range g.words {
		if at -= w.weight; at < 0 {
			return g.fill(w.text)
		}
	}
	return "PING"
}

var (
	values = []string{"a", "hello", `""`, `"\x00\xff\r\n"`, `"a b"`, "12", "-3", "3.5", "%1000%", `"*1\r\n$4\r\nPING\r\n"`}
	luas   = []string{`"return 1"`, `"return redis.call('GET',KEYS[1])"`, `"return redis.call('SET',KEYS[1],ARGV[1])"`, `"return redis.call('RPUSH',KEYS[1],ARGV[1])"`,
		`"return {KEYS[1],ARGV[1],1,false}"`, `"return redis.error_reply('BAD x')"`, `"return redis.pcall('INCR',KEYS[1])"`, `"nonsense"`}
)

// fill puts random words into the places of a command: {s} {l} {S} {z} {h} {x} are
// keys of one type, mostly, {a} of any, {v} a value, {w} a short one, {n} a number, {m} a small one,
// {id} a stream's id, {ch} a channel, {db} a database, {c} a client, {lua} a script.
func (g *generator) fill(text string) string {
	for {
		from := strings.IndexByte(text, '{')
		for from >= 0 && from > 0 && text[from-1] == '$' { // a variable of the dialogue
			next := strings.IndexByte(text[from+1:], '{')
			if next < 0 {
				return text
			}
			from += 1 + next
		}
		to := strings.IndexByte(text[max(from, 0):], '}') + from
		if from < 0 {
			return text
		}
		text = text[:from] + g.word(text[from+1:to]) + text[to+1:]
	}
}

func (g *generator) word(place string) string {
	const types = "slSzhx"
	if place == "a" || strings.Contains(types, place) && g.IntN(12) == 0 {
		place = string(types[g.IntN(len(types))])
	}
	switch place {
	case "v":
		return values[g.IntN(len(values))]
	case "w":
		return values[g.IntN(6)]
	case "n":
		return fmt.Sprint(g.IntN(20) - 5)
	case "m":
		return fmt.Sprint(g.IntN(6))
	case "id":
		g.ids++
		return fmt.Sprintf("%d-1", max(1, g.ids-g.IntN(2)*g.IntN(5)))
	case "ch":
		return fmt.Sprintf("ch%d", g.IntN(3))
	case "db":
		return fmt.Sprint(g.IntN(3))
	case "c":
		return g.who()
	case "lua":
		return luas[g.IntN(len(luas))]
	}
	return fmt.Sprintf("%s%d", place, g.IntN(3))
}
