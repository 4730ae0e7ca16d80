package command

// Class says how the proxy treats a command.
type Class uint8

const (
	// Write may change data, or is not known not to. It is sent once.
	Write Class = iota
	// Read never changes data.
	Read
	// Blocking may wait in Redis and stop what comes after it on its connection.
	Blocking
	// Session reads or changes the state of the client's connection.
	Session
	// PubSub subscribes or unsubscribes.
	PubSub
	// Transaction is MULTI, EXEC, DISCARD, WATCH or UNWATCH.
	Transaction
	// Refused does not pass; Info.Reason says why.
	Refused
)

// String returns the word for the class in metrics and docs.
func (c Class) String() string {
	return [...]string{"write", "read", "blocking", "session", "pubsub", "transaction", "refused"}[min(c, Refused)]
}

// Verb names a command that the proxy treats itself.
type Verb uint8

// The verbs are named for their commands.
const (
	VerbNone Verb = iota

	Ping
	Quit
	Reset
	Select
	Auth
	Hello
	Monitor
	ReadOnly
	ReadWrite
	Asking

	ClientID
	ClientSetName
	ClientGetName
	ClientSetInfo
	ClientReply
	ClientTracking
	ClientTrackingInfo
	ClientCaching
	ClientGetRedir
	ClientList
	ClientInfo
	ClientKill
	ClientUnblock
	ClientNoEvict
	ClientNoTouch
	ClientCapa
	ClientImportSource
	ClientMaintNotifications
	ClientHelp
	ClientPause
	ClientUnpause
	ClientOther // CLIENT without a subcommand, or with one that the table does not know

	Multi
	Exec
	Discard
	Watch
	Unwatch

	Subscribe
	PSubscribe
	SSubscribe
	Unsubscribe
	PUnsubscribe
	SUnsubscribe
	Publish
	SPublish

	Eval
	EvalSha
	FCall
	EvalRO
	EvalShaRO
	FCallRO
	ScriptLoad
	ScriptExists
	ScriptFlush
	ScriptKill
	ScriptDebug
	FunctionKill

	XRead
	XReadGroup
	Wait
	WaitAOF
	Scan // SCAN, HSCAN, SSCAN and ZSCAN: Info.Cursor says where the cursor is

	ACLSetUser
	ACLDelUser
	ACLLoad
	ACLWhoAmI
	ConfigSet

	ServerInfo // INFO
	Debug
	Shutdown

	HTTP // POST and Host:, which Redis takes for an attack through a browser: it closes the connection without a reply
)

// Info is what the table knows of a command. It is shared and must not be changed.
type Info struct {
	// Name is in lower case; that of a subcommand is "client|setname".
	Name  string
	Class Class
	// Verb is VerbNone for commands that are merely passed on.
	Verb Verb
	// Repeatable says that running it twice is harmless and gives a current
	// answer, so that a lost reply may be fetched again. Only commands that never
	// write are.
	Repeatable bool
	// Arity counts the arguments with the command's name, and its subcommand, as
	// COMMAND does: negative means at least so many.
	Arity int
	// Known is false if the table has no such command or subcommand.
	Known bool
	// Merged says that it is known from a master's COMMAND only (see Table.With): what
	// the texts of its errors prove is not known.
	Merged bool
	// Reason says, for clients, why a Refused command does not pass: it goes on after
	// "the command is refused because". A Refused command has no Verb but HTTP.
	Reason string
	// Liftable says of a Refused command that Policy.Allow can let it pass.
	Liftable bool
	// Cursor is the index of the argument that is a cursor, of a Scan; else 0.
	Cursor int
	// Alone says that it must run on a connection of its own, because it stops or
	// changes that connection, or must overtake what queues on a shared one.
	Alone bool
	// NoData says that it neither reads nor changes what is replicated: it is about the
	// server or the connection.
	NoData bool
	// NoAuth says that Redis takes it from clients that have not authenticated.
	NoAuth bool
	// InSubscribe says that Redis takes it from a RESP2 client that has subscribed.
	InSubscribe bool
	// NotQueued says that Redis runs it at once between MULTI and EXEC.
	NotQueued bool

	timeout     timeoutPlace
	when        func(args [][]byte) bool // if true, the command is variant instead
	variant     *Info
	subcommands map[string]*Info
	other       *Info // of a container: what an unknown subcommand is
}

// Arity says whether Redis takes the command with n arguments, its name included.
func Arity(i *Info, n int) bool {
	if i.Arity < 0 {
		return n >= -i.Arity
	}
	return n == i.Arity
}
