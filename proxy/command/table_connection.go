package command

// connectionTable is about the client's connection. Those that only tell something are
// repeatable.
var connectionTable = []row{
	session("auth", -2, Auth).noAuth(),
	session("client", -2, ClientOther),
	session("client|caching", 3, ClientCaching).alone(),
	session("client|getname", 2, ClientGetName).repeatable(),
	session("client|getredir", 2, ClientGetRedir).repeatable(),
	read("client|help", 2).as(ClientHelp),
	session("client|id", 2, ClientID).repeatable(),
	session("client|info", 2, ClientInfo).repeatable(),
	session("client|kill", -3, ClientKill),
	session("client|list", -2, ClientList).repeatable(),
	session("client|no-evict", 3, ClientNoEvict),
	refused("client|pause", -3, stopsTraffic).as(ClientPause).alone(),
	session("client|reply", 3, ClientReply),
	session("client|setname", 3, ClientSetName),
	session("client|tracking", -3, ClientTracking).alone(),
	session("client|trackinginfo", 2, ClientTrackingInfo).repeatable(),
	session("client|unblock", -3, ClientUnblock),
	refused("client|unpause", 2, stopsTraffic).as(ClientUnpause).alone(),
	read("echo", 2),
	session("hello", -1, Hello).noAuth(),
	session("ping", -1, Ping).inSubscribe().repeatable(),
	session("quit", -1, Quit).inSubscribe().noAuth().notQueued(),
	session("reset", 1, Reset).inSubscribe().noAuth().notQueued(),
	session("select", 2, Select),

	// Redis 7.2
	session("client|no-touch", 3, ClientNoTouch).alone(),
	session("client|setinfo", 4, ClientSetInfo),

	// Redis 8.2 and Valkey 8
	session("client|maint_notifications", -2, ClientMaintNotifications),
	session("client|capa", -3, ClientCapa).alone(),
	session("client|import-source", 3, ClientImportSource).alone(),

	// Not commands, but Redis knows the words.
	refused("post", -1, browserAttack).always().as(HTTP).noAuth(),
	refused("host:", -1, browserAttack).always().as(HTTP).noAuth(),
}

// transactionTable is transactions.
var transactionTable = []row{
	transaction("discard", 1, Discard).notQueued(),
	transaction("exec", 1, Exec).notQueued(),
	transaction("multi", 1, Multi).notQueued(),
	transaction("unwatch", 1, Unwatch),
	transaction("watch", -2, Watch).notQueued(),
}

// pubSubTable is messages. PUBLISH reaches subscribers of the replicas too, so it is a write.
var pubSubTable = []row{
	pubsub("psubscribe", -2, PSubscribe),
	write("publish", 3).as(Publish),
	write("pubsub", -2),
	read("pubsub|channels", -2),
	read("pubsub|help", 2),
	read("pubsub|numpat", 2),
	read("pubsub|numsub", -2),
	read("pubsub|shardchannels", -2),
	read("pubsub|shardnumsub", -2),
	pubsub("punsubscribe", -1, PUnsubscribe),
	write("spublish", 3).as(SPublish),
	pubsub("ssubscribe", -2, SSubscribe),
	pubsub("subscribe", -2, Subscribe),
	pubsub("sunsubscribe", -1, SUnsubscribe),
	pubsub("unsubscribe", -1, Unsubscribe),
}

// scriptTable is scripts and functions. What a script does is not known, unless it may
// only read. Loading a script twice does no harm.
var scriptTable = []row{
	write("eval", -3).as(Eval),
	read("eval_ro", -3).as(EvalRO),
	write("evalsha", -3).as(EvalSha),
	read("evalsha_ro", -3).as(EvalShaRO),
	write("fcall", -3).as(FCall),
	read("fcall_ro", -3).as(FCallRO),
	write("function", -2),
	write("function|delete", 3),
	read("function|dump", 2),
	write("function|flush", -2),
	read("function|help", 2),
	write("function|kill", 2).as(FunctionKill).alone(),
	read("function|list", -2),
	write("function|load", -3),
	write("function|restore", -3),
	read("function|stats", 2),
	write("script", -2),
	refused("script|debug", 3, takesConnection).as(ScriptDebug).alone(),
	read("script|exists", -3).as(ScriptExists),
	write("script|flush", -2).as(ScriptFlush),
	read("script|help", 2),
	write("script|kill", 2).as(ScriptKill).alone(),
	write("script|load", 3).as(ScriptLoad).repeatable(),

	// Valkey 8
	read("script|show", 3),
}
