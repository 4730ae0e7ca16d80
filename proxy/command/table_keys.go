package command

// stringTable is strings. LCS and SUBSTR are reads, GETEX writes an expiry unless it has
// nothing but the key.
var stringTable = []row{
	write("append", 3),
	write("decr", 2),
	write("decrby", 3),
	read("get", 2),
	write("getdel", 2),
	write("getex", -2).readIf(onlyKey),
	read("getrange", 4),
	write("getset", 3),
	write("incr", 2),
	write("incrby", 3),
	write("incrbyfloat", 3),
	read("lcs", -3),
	read("mget", -2),
	write("mset", -3),
	write("msetnx", -3),
	write("psetex", 4),
	write("set", -3),
	write("setex", 4),
	write("setnx", 3),
	write("setrange", 4),
	read("strlen", 2),
	read("substr", 4),

	// Redis 8.4, Valkey 9
	write("delex", -2),
	write("delifeq", 3),
	write("msetex", -4),
	read("digest", 2),
}

// keyTable is what works on keys of any type. SORT writes only with STORE.
var keyTable = []row{
	write("copy", -3),
	write("del", -2),
	read("dump", 2),
	read("exists", -2),
	write("expire", -3),
	write("expireat", -3),
	read("expiretime", 2),
	read("keys", 2),
	write("migrate", -6),
	write("move", 3),
	write("object", -2),
	read("object|encoding", 3),
	read("object|freq", 3),
	read("object|help", 2),
	read("object|idletime", 3),
	read("object|refcount", 3),
	write("persist", 2),
	write("pexpire", -3),
	write("pexpireat", -3),
	read("pexpiretime", 2),
	read("pttl", 2),
	read("randomkey", 1),
	write("rename", 3),
	write("renamenx", 3),
	write("restore", -4),
	read("scan", -2).scan(1),
	write("sort", -2).readIf(without("store")),
	read("sort_ro", -2),
	read("touch", -2),
	read("ttl", 2),
	read("type", 2),
	write("unlink", -2),
	blocking("wait", 3, lastMillis).as(Wait),
	blocking("waitaof", 4, lastMillis).as(WaitAOF), // 7.2
}

// bitmapTable is bitmaps. BITFIELD with nothing but GET does not write.
var bitmapTable = []row{
	read("bitcount", -2),
	write("bitfield", -2).readIf(without("set", "incrby")),
	read("bitfield_ro", -2),
	write("bitop", -4),
	read("bitpos", -3),
	read("getbit", 3),
	write("setbit", 4),
}

// hyperLogLogTable is HyperLogLogs. PFCOUNT is flagged readonly, but writes the
// cached count into the key and to the replicas.
var hyperLogLogTable = []row{
	write("pfadd", -2),
	write("pfcount", -2),
	write("pfdebug", 3),
	write("pfmerge", -2),
	write("pfselftest", 1),
}

// geoTable is geo indices. GEORADIUS writes only with STORE or STOREDIST.
var geoTable = []row{
	write("geoadd", -5),
	read("geodist", -4),
	read("geohash", -2),
	read("geopos", -2),
	write("georadius", -6).readIf(without("store", "storedist")),
	read("georadius_ro", -6),
	write("georadiusbymember", -5).readIf(without("store", "storedist")),
	read("georadiusbymember_ro", -5),
	read("geosearch", -7),
	write("geosearchstore", -8),
}
