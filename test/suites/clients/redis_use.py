"""What apps use of redis-py, with the library's defaults, against 127.0.0.1:6379."""

import threading
import time

import redis
import redis.asyncio
from redis.exceptions import ConnectionError, LockError, NoScriptError, ResponseError, WatchError
from report import run_all, test

r = redis.Redis(decode_responses=True)


def eventually(condition, seconds=5):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.01)
    return False


def message(p, kind="message", seconds=5):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        m = p.get_message(timeout=0.1)
        if m and m["type"] == kind:
            return m
    raise AssertionError(f"no {kind}")


def refused(call, *args, error=ResponseError, says="", **kwargs):
    try:
        got = call(*args, **kwargs)
    except error as e:
        assert says in str(e), e
        return
    raise AssertionError(f"{got!r} instead of {error}")


# --- connections


@test
def ping_and_echo():
    assert r.ping() is True
    assert r.echo("hello") == "hello"
    assert r.time()[0] > 1_600_000_000


@test
def url_with_database():
    c = redis.from_url("redis://localhost:6379/5")
    c.set("here", "5")
    assert r.get("here") is None
    assert redis.Redis(db=5).get("here") == b"5"
    c.flushdb()


@test
def database_that_does_not_exist():
    refused(redis.Redis(db=99).ping, says="DB index is out of range")


@test
def client_name_of_the_pool():
    c = redis.Redis(client_name="named", decode_responses=True)
    assert c.client_getname() == "named"
    assert any(x["name"] == "named" for x in c.client_list())


@test
def single_connection_client():
    c = redis.Redis(single_connection_client=True, decode_responses=True)
    c.client_setname("alone")
    assert c.client_getname() == "alone"
    first = c.client_id()
    c.execute_command("SELECT", 3)
    assert int(c.client_info()["db"]) == 3
    assert c.client_id() == first
    c.close()


@test
def health_checks():
    c = redis.Redis(health_check_interval=1)
    c.set("a", 1)
    time.sleep(1.2)
    assert c.get("a") == b"1"
    p = c.pubsub()
    p.subscribe("checked")
    message(p, "subscribe")
    time.sleep(1.2)
    p.get_message(timeout=0.1)
    r.publish("checked", "x")
    assert message(p)["data"] == b"x"


@test
def pool_with_limit():
    c = redis.Redis(connection_pool=redis.BlockingConnectionPool(max_connections=2, timeout=5))
    got = []

    def work(n):
        for i in range(50):
            c.incr("pooled")
        got.append(n)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(got) == 8 and r.get("pooled") == "400"


@test
def killed_connection_comes_back():
    c = redis.Redis()
    n = c.client_id()
    assert r.client_kill_filter(_id=str(n)) == 1
    time.sleep(0.05)
    assert c.ping() is True and c.client_id() != n


@test
def socket_timeout():
    c = redis.Redis(socket_timeout=0.3)
    refused(c.blpop, ["never"], 5, error=redis.exceptions.TimeoutError)
    assert c.ping() is True


@test
def users_and_passwords():
    r.acl_setuser("alice", enabled=True, passwords=["+secret"], categories=["+@all"], keys=["~*"], reset=True)
    c = redis.Redis(username="alice", password="secret", decode_responses=True)
    assert c.acl_whoami() == "alice"
    assert redis.from_url("redis://alice:secret@localhost/2", decode_responses=True).acl_whoami() == "alice"
    refused(redis.Redis(username="alice", password="wrong").ping, error=(ConnectionError, ResponseError), says="WRONGPASS")
    r.acl_setuser("alice", enabled=True, passwords=["+secret"], commands=["-set"], categories=["+@all"], keys=["~*"], reset=True)
    refused(redis.Redis(username="alice", password="secret").set, "a", "b", error=redis.exceptions.NoPermissionError)
    assert r.acl_deluser("alice") == 1
    refused(redis.Redis(username="alice", password="secret").ping, error=(ConnectionError, ResponseError), says="WRONGPASS")


@test
def password_without_need():
    refused(redis.Redis(password="unneeded").ping, error=redis.RedisError, says="AUTH <password> called without")


@test
def password_for_everyone():
    r.ping()
    r.config_set("requirepass", "open")
    try:
        refused(redis.Redis().get, "a", error=redis.exceptions.AuthenticationError)
        assert redis.Redis(password="open").ping() is True
        refused(redis.Redis(db=7).get, "a", error=redis.exceptions.AuthenticationError)
    finally:
        redis.Redis(password="open").config_set("requirepass", "")
    assert redis.Redis().get("a") is None
    assert redis.Redis(db=7).get("a") is None


# --- pipelines, transactions, scripts


@test
def pipeline_plain_and_transaction():
    for transaction in (False, True):
        with r.pipeline(transaction=transaction) as p:
            p.set("a", 1).incr("a").get("a").lpush("l", 1, 2)
            assert p.execute()[:3] == [True, 2, "2"]


@test
def pipeline_with_an_error():
    r.set("a", "text")
    with r.pipeline() as p:
        p.set("b", 1).incr("a").set("c", 3)
        refused(p.execute, says="not an integer")
    assert r.get("c") == "3"
    with r.pipeline() as p:
        p.incr("a").get("b")
        got = p.execute(raise_on_error=False)
        assert isinstance(got[0], ResponseError) and got[1] == "1"


@test
def pipeline_refused_while_queued():
    with r.pipeline() as p:
        p.set("a", 1)
        p.execute_command("SET", "only-a-key")
        p.set("b", 1)
        refused(p.execute, says="wrong number of arguments")
    assert r.get("a") is None


@test
def long_pipeline():
    with r.pipeline(transaction=False) as p:
        for i in range(20000):
            p.set(f"k{i}", i)
        assert all(p.execute())
    with r.pipeline() as p:
        for i in range(20000):
            p.get(f"k{i}")
        assert p.execute() == [str(i) for i in range(20000)]


@test
def watch_that_holds():
    r.set("a", 1)
    with r.pipeline() as p:
        p.watch("a")
        value = int(p.get("a"))
        p.multi()
        p.set("a", value + 1)
        assert p.execute() == [True]
    assert r.get("a") == "2"


@test
def watch_that_breaks():
    r.set("a", 1)
    with r.pipeline() as p:
        p.watch("a")
        r.set("a", 5)
        p.multi()
        p.set("a", 2)
        refused(p.execute, error=WatchError)
        p.watch("a")
        p.unwatch()
        r.set("a", 6)
        p.set("a", 7)
        p.execute()
    assert r.get("a") == "7"


@test
def transaction_helper():
    r.set("n", 0)

    def work():
        c = redis.Redis()
        for _ in range(20):
            c.transaction(lambda p: add(p), "n")

    def add(p):
        n = int(p.get("n"))
        p.multi()
        p.set("n", n + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert r.get("n") == "80"


@test
def registered_script():
    r.script_flush()
    double = r.register_script("return redis.call('SET', KEYS[1], ARGV[1] * 2)")
    assert double(keys=["a"], args=[4]) == "OK"
    with r.pipeline() as p:
        double(keys=["b"], args=[5], client=p)
        p.get("b")
        assert p.execute() == ["OK", "10"]
    r.script_flush()
    assert double(keys=["a"], args=[6]) == "OK" and r.get("a") == "12"
    assert r.script_exists(double.sha, "0" * 40) == [True, False]
    refused(r.evalsha, "0" * 40, 0, error=NoScriptError)


@test
def script_with_all_kinds_of_replies():
    assert r.eval("return {1, 'two', {3, false}, 4.7}", 0) == [1, "two", [3, None], 4]
    refused(r.eval, "return redis.error_reply('MINE it is')", 0, says="MINE it is")
    refused(r.eval, "return redis.call('nothing')", 0, says="Unknown Redis command")
    assert r.eval_ro("return redis.call('GET', KEYS[1])", 1, "a") is None


@test
def script_killed():
    t = threading.Thread(target=lambda: refused(redis.Redis().eval, "while true do end", 0, error=redis.RedisError))
    r.config_set("busy-reply-threshold", 100)
    t.start()
    try:
        time.sleep(0.4)
        refused(redis.Redis().get, "a", says="running a script")
        assert redis.Redis().script_kill()
    finally:
        t.join(10)
        r.config_set("busy-reply-threshold", 5000)
    assert not t.is_alive() and r.ping()


@test
def functions():
    r.function_flush()
    library = "#!lua name=mine \n redis.register_function('set', function(k, a) return redis.call('SET', k[1], a[1]) end)"
    assert r.function_load(library) == "mine"
    assert r.fcall("set", 1, "a", "1") == "OK"
    assert len(r.function_list()) == 1
    assert r.function_stats()
    dump = redis.Redis().function_dump()
    r.function_delete("mine")
    assert redis.Redis().function_restore(dump) in (True, b"OK")
    r.function_flush()


@test
def lock():
    lock = r.lock("lock", timeout=5)
    assert lock.acquire(blocking=False)
    assert not r.lock("lock").acquire(blocking=False)
    assert lock.extend(5) and lock.reacquire() and lock.owned()
    lock.release()
    refused(lock.release, error=LockError)
    with r.lock("lock", blocking_timeout=1):
        assert r.lock("lock").locked()


# --- publish, subscribe


@test
def channels_and_patterns():
    p = r.pubsub()
    p.subscribe("one", "two")
    p.psubscribe("t*")
    assert [message(p, k)["channel"] for k in ("subscribe", "subscribe", "psubscribe")] == ["one", "two", "t*"]
    assert r.publish("two", "x") == 2
    assert sorted(p.get_message(timeout=5)["type"] for _ in range(2)) == ["message", "pmessage"]
    assert set(r.pubsub_channels()) >= {"one", "two"} and r.pubsub_numpat() == 1
    assert r.pubsub_numsub("one", "none") == [("one", 1), ("none", 0)]
    p.ping("there?")
    assert message(p, "pong")["data"] == "there?"
    p.unsubscribe()
    p.punsubscribe()
    for _ in range(3):
        p.get_message(timeout=5)
    assert eventually(lambda: r.publish("two", "x") == 0)
    p.close()


@test
def handlers_in_a_thread():
    got = []
    p = r.pubsub()
    p.subscribe(**{"handled": lambda m: got.append(m["data"])})
    thread = p.run_in_thread(sleep_time=0.01)
    assert eventually(lambda: r.publish("handled", "1") == 1)
    assert eventually(lambda: got)
    thread.stop()
    thread.join(5)


@test
def many_messages_in_order():
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe("many")
    p.get_message(timeout=5)
    assert eventually(lambda: r.pubsub_numsub("many")[0][1] == 1)
    with r.pipeline(transaction=False) as pipe:
        for i in range(2000):
            pipe.publish("many", i)
        assert pipe.execute() == [1] * 2000
    got = []
    while len(got) < 2000:
        m = p.get_message(timeout=5)
        if m is None:
            break
        got.append(int(m["data"]))
    assert got == list(range(2000)), len(got)


@test
def keyspace_notifications():
    r.config_set("notify-keyspace-events", "KEA")
    p = r.pubsub()
    p.psubscribe("__key*__:*")
    message(p, "psubscribe")
    r.set("noted", 1, px=50)
    kinds = [p.get_message(timeout=5)["data"] for _ in range(5)]
    assert "set" in kinds and "noted" in kinds, kinds
    assert message(p, "pmessage")["data"] in ("expired", "noted")
    r.config_set("notify-keyspace-events", "")
    p.close()


@test
def subscribe_and_publish_at_once():
    for i in range(20):
        p = r.pubsub()
        p.subscribe(f"at-once-{i}")
        message(p, "subscribe")
        assert r.publish(f"at-once-{i}", "x") == 1
        p.close()


@test
def published_in_a_transaction():
    p = r.pubsub()
    p.subscribe("tx")
    message(p, "subscribe")
    with r.pipeline() as pipe:
        pipe.set("a", 1).publish("tx", "x")
        assert pipe.execute() == [True, 1]
    assert message(p)["data"] == "x"


# --- blocking


@test
def blocking_pops():
    assert r.blpop(["none"], timeout=0.2) is None
    t = threading.Timer(0.1, lambda: redis.Redis().rpush("late", "x"))
    t.start()
    assert r.blpop(["none", "late"], timeout=5) == ("late", "x")
    r.zadd("z", {"m": 1})
    assert r.bzpopmin("z", 1) == ("z", "m", 1.0)
    r.rpush("src", "y")
    assert r.brpoplpush("src", "dst", 1) == "y" and r.blmove("dst", "src", 1) == "y"
    assert r.blmpop(0.1, 1, "none", direction="LEFT") is None


@test
def blocked_ones_are_served_in_turn():
    got = []

    def wait(n):
        got.append((n, redis.Redis().blpop(["turn"], 5)))

    threads = []
    for n in range(5):
        threads.append(threading.Thread(target=wait, args=(n,)))
        threads[-1].start()
        assert eventually(lambda: r.info("clients")["blocked_clients"] == n + 1)
    for n in range(5):
        r.rpush("turn", n)
        assert eventually(lambda: len(got) == n + 1)
    [t.join() for t in threads]
    assert [(n, int(v[1])) for n, v in got] == [(n, n) for n in range(5)], got


@test
def unblocked_by_id():
    c = redis.Redis(single_connection_client=True)
    n = c.client_id()
    got = []
    t = threading.Thread(target=lambda: got.append(c.blpop(["never"], 10)))
    t.start()
    assert eventually(lambda: r.client_unblock(n) == 1)
    t.join(5)
    assert got == [None]


@test
def streams_and_groups():
    first = r.xadd("s", {"a": 1})
    assert r.xread({"s": 0})[0][1][0] == (first, {"a": "1"})
    r.xgroup_create("s", "g", id="0")
    assert r.xreadgroup("g", "me", {"s": ">"})[0][1][0][0] == first
    assert r.xpending("s", "g")["pending"] == 1
    t = threading.Timer(0.1, lambda: redis.Redis().xadd("s", {"b": 2}))
    t.start()
    late = r.xreadgroup("g", "me", {"s": ">"}, block=5000)
    assert late[0][1][0][1] == {"b": "2"}
    assert r.xack("s", "g", first) == 1
    assert r.xread({"s": "$"}, block=100) == []
    assert r.xclaim("s", "g", "you", 0, [late[0][1][0][0]])
    assert r.xautoclaim("s", "g", "me", 0)
    assert r.xinfo_stream("s")["length"] == 2 and len(r.xinfo_groups("s")) == 1 and len(r.xinfo_consumers("s", "g")) == 2
    assert r.xtrim("s", 1, approximate=False) == 1


# --- data


@test
def strings_and_numbers():
    assert r.set("a", "b", ex=10, nx=True) and not r.set("a", "c", nx=True)
    assert r.getset("a", "d") == "b" and r.append("a", "e") == 2 and r.setrange("a", 1, "xyz")
    assert r.mset({"x": 1, "y": 2}) and r.mget("x", "none", "y") == ["1", None, "2"]
    assert r.incrbyfloat("x", 0.5) == 1.5 and r.getdel("x") == "1.5" and r.getex("y", ex=5) == "2"
    assert r.setbit("bits", 7, 1) == 0 and r.bitcount("bits") == 1
    assert r.bitfield("bits").set("u8", 8, 255).get("u8", 8).execute() == [0, 255]
    assert r.lcs("y", "a") == ""


@test
def binary_and_large_values():
    c = redis.Redis()
    for value in (b"", b"\r\n$5\r\n", bytes(range(256)), b"x" * 20_000_000):
        c.set(b"k\r\n\x00", value)
        assert c.get(b"k\r\n\x00") == value
    dump = c.dump(b"k\r\n\x00")
    assert c.restore("copy", 0, dump) == b"OK"


@test
def collections():
    r.hset("h", mapping={"a": 1, "b": 2})
    assert r.hgetall("h") == {"a": "1", "b": "2"} and r.hincrby("h", "a") == 2 and r.hrandfield("h")
    r.rpush("l", *range(100))
    assert r.lrange("l", 0, -1) == [str(n) for n in range(100)] and r.lpos("l", "5") == 5
    r.sadd("s", *range(50))
    assert len(r.smembers("s")) == 50 and r.smismember("s", ["1", "x"]) == [1, 0]
    r.zadd("z", {str(n): n for n in range(50)})
    assert r.zrange("z", 0, 2, withscores=True) == [("0", 0.0), ("1", 1.0), ("2", 2.0)]
    assert r.zrangebyscore("z", "(48", "+inf") == ["49"] and r.zpopmax("z") == [("49", 49.0)]
    assert r.pfadd("hll", "a", "b") == 1 and r.pfcount("hll") == 2
    r.geoadd("g", [13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania"])
    assert r.geosearch("g", longitude=15, latitude=37, unit="km", radius=200, sort="ASC") == ["Catania", "Palermo"]
    assert r.sort("l", desc=True, start=0, num=2) == ["99", "98"]


@test
def scans():
    r.mset({f"scan:{n}": n for n in range(3000)})
    assert len(set(r.scan_iter("scan:*", count=100))) == 3000
    r.hset("h", mapping={str(n): n for n in range(2000)})
    assert len(dict(r.hscan_iter("h"))) == 2000
    r.zadd("z", {str(n): n for n in range(2000)})
    assert len(list(r.zscan_iter("z"))) == 2000
    r.sadd("s", *range(2000))
    assert len(set(r.sscan_iter("s"))) == 2000
    assert set(r.scan_iter(_type="ZSET")) == {"z"}


@test
def keys_and_expiry():
    r.set("a", 1)
    assert r.expire("a", 100) and 0 < r.ttl("a") <= 100 and r.persist("a") and r.ttl("a") == -1
    assert r.rename("a", "b") and r.exists("a", "b") == 1 and r.copy("b", "c") and r.type("c") == "string"
    assert r.move("c", 9) and redis.Redis(db=9).delete("c") == 1
    assert r.object("encoding", "b") == "int" and r.unlink("b") == 1 and r.randomkey() is None
    r.set("db0", 1)
    r.swapdb(0, 9)
    assert r.get("db0") is None and redis.Redis(db=9).get("db0") == b"1"
    r.swapdb(0, 9)
    assert r.dbsize() == 1 and r.touch("db0") == 1


# --- the server


@test
def server_commands():
    info = r.info()
    assert info["redis_version"].startswith("7.") and info["role"] == "master"
    assert r.info("commandstats") and r.info("keyspace") == {} and r.info("everything")
    assert r.config_get("max*") and r.config_set("maxmemory-samples", 5) and r.config_resetstat()
    assert r.command_count() > 200 and "get" in r.command() and r.command_getkeys("SET", "a", "b") == ["a"]
    assert r.slowlog_len() >= 0 and isinstance(r.slowlog_get(), list) and r.slowlog_reset()
    assert r.lastsave() and r.memory_usage("none") is None and r.memory_stats() and r.memory_purge()
    assert r.module_list() == [] and r.lolwut()
    assert r.wait(0, 10) == 0
    assert r.bgsave() and eventually(lambda: r.info("persistence")["rdb_bgsave_in_progress"] == 0)


@test
def role_says_master():
    assert r.execute_command("ROLE")[0] == "master"


@test
def clients_of_the_server():
    c = redis.Redis(single_connection_client=True, decode_responses=True, client_name="looked-at")
    n = c.client_id()
    one = [x for x in r.client_list() if x["name"] == "looked-at"]
    assert len(one) == 1 and int(one[0]["id"]) == n and one[0]["db"] == "0" and one[0]["addr"].startswith("127.0.0.1:")
    assert r.client_list(client_id=[str(n)])[0]["id"] == str(n)
    assert not any(x.get("id") == str(n) for x in r.client_list(_type="pubsub"))
    assert int(c.client_info()["id"]) == n
    assert c.client_getredir() == -1 and c.client_no_evict("ON") == "OK"
    assert r.client_kill_filter(_id=str(n)) == 1
    refused(lambda: [c.connection.send_command("GET", "a"), c.connection.read_response()], error=ConnectionError)


@test
def pause():
    r.client_pause(300, all=False)
    start = time.monotonic()
    assert r.get("a") is None and time.monotonic() - start < 0.25
    r.set("a", 1)
    assert time.monotonic() - start > 0.2
    assert r.client_unpause()


@test
def tracking():
    c = redis.Redis(single_connection_client=True, decode_responses=True)
    assert c.client_tracking_on(optin=True) == "OK"
    assert c.client_trackinginfo()[1][0] == "on"
    assert c.client_tracking_off() == "OK"


@test
def monitor():
    with r.monitor() as m:
        r.set("seen", 1)
        for _ in range(20):
            got = m.next_command()
            if got["command"] == "SET seen 1":
                break
        else:
            raise AssertionError("not seen")
        assert got["db"] == 0 and got["client_address"] == "127.0.0.1"


@test
def refused_words():
    refused(r.execute_command, "NOTHING", "a", says="unknown command")
    refused(r.execute_command, "GET", says="wrong number of arguments")
    refused(r.execute_command, "CLIENT", "NOTHING", says="unknown subcommand")
    r.set("text", "x")
    refused(r.incr, "text", says="not an integer")
    refused(r.lpush, "text", "x", says="wrong kind of value")
    refused(r.execute_command, "EXEC", says="EXEC without MULTI")


@test
def debug_sleep_and_object():
    assert r.execute_command("DEBUG", "SLEEP", "0.05") == "OK"
    r.set("a", 1)
    assert r.debug_object("a")


@test
def acl_commands():
    assert "default" in r.acl_users() and r.acl_whoami() == "default" and r.acl_list() and r.acl_cat()
    assert len(r.acl_genpass()) == 64 and r.acl_getuser("default")["enabled"]
    assert r.acl_log_reset() and r.acl_log() == []
    assert r.execute_command("ACL", "DRYRUN", "default", "GET", "a") == "OK"


# --- asyncio


@test
async def asyncio_commands_and_pipelines():
    c = redis.asyncio.Redis(decode_responses=True)
    assert await c.set("a", 1) and await c.get("a") == "1"
    async with c.pipeline() as p:
        assert await p.incr("a").get("a").execute() == [2, "2"]
    async with c.pipeline() as p:
        await p.watch("a")
        await c.set("a", 9)
        p.multi()
        p.set("a", 1)
        try:
            await p.execute()
            raise AssertionError("not broken")
        except WatchError:
            pass
    await c.close()


@test
async def asyncio_pubsub_and_blocking():
    import asyncio

    c = redis.asyncio.Redis(decode_responses=True)
    p = c.pubsub(ignore_subscribe_messages=True)
    await p.subscribe("async")
    while await c.publish("async", "x") == 0:
        await asyncio.sleep(0.01)
    got = None
    for _ in range(50):
        got = got or await p.get_message(timeout=0.1)
    assert got["data"] == "x"
    task = asyncio.create_task(c.blpop("later", timeout=5))
    await asyncio.sleep(0.1)
    await c.rpush("later", "y")
    assert list(await task) == ["later", "y"]
    task = asyncio.create_task(c.blpop("later", timeout=5))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.sleep(0.1)
    assert await c.rpush("later", "z") == 1 and await c.llen("later") == 1
    await p.close()
    await c.close()


@test
async def asyncio_lock_and_many_tasks():
    import asyncio

    c = redis.asyncio.Redis()
    async with c.lock("async-lock", timeout=5):
        pass
    await asyncio.gather(*(c.incr("n") for _ in range(300)))
    assert await c.get("n") == b"300"
    await c.close()


def prepare():
    redis.Redis().flushall()


run_all(prepare)
