package command

import "slices"

// row is a line of the tables: a command as it is if it passes, and whether it does.
type row struct {
	*Info
	why     string // it is refused because of this, unless the Policy allows it; "": it passes
	forGood bool   // no Policy allows it

	container bool // it has subcommands; rows sets it
	words     bool // its first argument is a subcommand, which COMMAND does not tell
}

// tables are all tables, in no order that matters.
var tables = [][]row{
	stringTable, keyTable, bitmapTable, hashTable, listTable, setTable, sortedSetTable,
	streamTable, geoTable, hyperLogLogTable, scriptTable, pubSubTable, transactionTable,
	noData(connectionTable), noData(serverTable, "flushall", "flushdb", "swapdb", "restore-asking", "dbsize", "memory|usage"), noData(clusterTable), moduleTable,
}

// noData marks the rows of a table as not about data, with some exceptions.
func noData(table []row, except ...string) []row {
	for _, r := range table {
		if r.Info.NoData = !slices.Contains(except, r.Name); r.variant != nil {
			r.variant.NoData = r.Info.NoData
		}
	}
	return table
}

func newRow(name string, arity int, c Class) row {
	return row{Info: &Info{Name: name, Arity: arity, Class: c, Known: true}}
}

// read is a command that never writes.
func read(name string, arity int) row {
	r := newRow(name, arity, Read)
	r.Repeatable = true
	return r
}

// write is a command that may change something.
func write(name string, arity int) row { return newRow(name, arity, Write) }

// blocking is a command that may wait in Redis.
func blocking(name string, arity int, t timeoutPlace) row {
	r := newRow(name, arity, Blocking)
	r.timeout = t
	return r
}

// session is a command about the client's connection.
func session(name string, arity int, v Verb) row { return newRow(name, arity, Session).as(v) }

// pubsub is a command that subscribes or unsubscribes.
func pubsub(name string, arity int, v Verb) row {
	r := newRow(name, arity, PubSub).as(v)
	r.InSubscribe = true
	return r
}

// transaction is a command about MULTI or WATCH.
func transaction(name string, arity int, v Verb) row { return newRow(name, arity, Transaction).as(v) }

// refused is a command that does not pass, because of reason. If the Policy lets it,
// it is a write.
func refused(name string, arity int, reason string) row {
	r := write(name, arity)
	r.why = reason
	return r
}

// always says that no Policy lifts the refusal.
func (r row) always() row {
	r.forGood = true
	return r
}

// alone marks what needs a connection of its own.
func (r row) alone() row {
	r.Alone = true
	return r
}

// scan marks what has a cursor, and where.
func (r row) scan(cursor int) row {
	r.Cursor = cursor
	return r.as(Scan)
}

// withWords says that the first argument is a subcommand although COMMAND does not
// tell any.
func (r row) withWords() row {
	r.words = true
	return r
}

// as gives the row its verb.
func (r row) as(v Verb) row {
	r.Verb = v
	return r
}

// repeatable says that a command may run again although it does not look so.
func (r row) repeatable() row {
	r.Repeatable = true
	return r
}

// noAuth marks what Redis takes before authentication.
func (r row) noAuth() row {
	r.NoAuth = true
	return r
}

// inSubscribe marks what Redis takes from a subscribed RESP2 client.
func (r row) inSubscribe() row {
	r.InSubscribe = true
	return r
}

// notQueued marks what Redis runs at once between MULTI and EXEC.
func (r row) notQueued() row {
	r.NotQueued = true
	return r
}

// readIf makes a write a read whenever the arguments are such that it cannot write.
func (r row) readIf(cannotWrite func(args [][]byte) bool) row {
	v := *r.Info
	v.Class, v.Repeatable = Read, true
	r.when, r.variant = cannotWrite, &v
	return r
}

// blockingIf makes a command a blocking one whenever the arguments say so.
func (r row) blockingIf(blocks func(args [][]byte) bool, t timeoutPlace) row {
	v := *r.Info
	v.Class, v.timeout = Blocking, t
	r.when, r.variant = blocks, &v
	return r
}

// Why commands are refused.
const (
	sentinelOwns    = "only Sentinel may say which server is master"
	replicates      = "a replica has to connect to the master itself, not through a proxy"
	stopsMaster     = "it can stop or crash the master for all clients; connect to the server itself for it"
	stopsTraffic    = "it would stop the master for all clients and make Sentinel fail over; connect to the server itself for it"
	loadsCode       = "it changes the code of one server and not of its replicas; connect to the server itself for it"
	takesConnection = "the Lua debugger needs a connection of its own; connect to the server itself for it"
	clusterWrite    = "a master that Sentinel watches is not part of a Redis Cluster"
	browserAttack   = "it looks like HTTP, which Redis takes for an attack through a browser"
)
