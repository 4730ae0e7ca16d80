"""redis-py with its defaults until the standard input ends, while the master changes.

    use.py NAME [ACT ...]

What an act appends goes to lists that begin with NAME. PARSER=python takes the pure parser though hiredis
is installed. For each act it prints a report: see report in program_test.go.
"""

import asyncio
import collections
import json
import os
import random
import sys
import threading
import time
import uuid

import redis
import redis.asyncio
from redis.connection import HIREDIS_AVAILABLE, PythonParser

name = sys.argv[1]
over = threading.Event()
printing = threading.Lock()  # a line is one report


def client():
    options = {"parser_class": PythonParser} if os.environ.get("PARSER") == "python" else {}
    return redis.Redis(connection_pool=redis.ConnectionPool.from_url(os.environ["REDIS_URL"], **options))


class Report:
    """What becomes of an act. Its methods may be called from several threads."""

    def __init__(self, act):
        self.act, self.list, self.sent, self.doubt = act, "", 0, []
        self.told, self.figures = collections.Counter(), collections.Counter()
        self.slowest, self.reconnects, self.lost, self.doubled, self.wrong = 0.0, 0, 0, 0, []
        self._lock = threading.Lock()

    def call(self, command, *args, waits=False):
        """(True, reply), or (False, None) and the error is counted."""
        began = time.monotonic()
        try:
            return True, command(*args)
        except redis.RedisError as e:
            self.tell(e)
            return False, None
        finally:
            if not waits:
                self.slowest = max(self.slowest, time.monotonic() - began)

    def tell(self, e):
        with self._lock:
            self.told[f"{type(e).__name__}: {e}"[:160]] += 1

    def never(self, what):
        with self._lock:
            if len(self.wrong) < 10:
                self.wrong.append(what)

    def print(self):
        line = json.dumps({k: v for k, v in vars(self).items() if not k.startswith("_")})
        with printing:
            print(line, flush=True)


def going():
    time.sleep(0.01)
    return not over.is_set()


def insist(r, command, *args):
    """Does something that may be done twice, until it is done."""
    while not r.call(command, *args)[0]:
        pass


def writes(r):
    c, r.list = client(), f"{name}:writes"
    first = c.client_id()
    while going():
        r.sent += 1
        if not r.call(c.rpush, r.list, r.sent)[0]:
            r.doubt.append(r.sent)
    r.reconnects = int(c.client_id() != first)


def transactions(r):
    c, r.list = client(), f"{name}:transactions"
    first = c.client_id()
    while going():
        r.sent += 1
        with c.pipeline() as p:
            ok, got = r.call(p.rpush(r.list, r.sent).set(f"{name}:last", r.sent).get(f"{name}:last").execute)
        if not ok:
            r.doubt.append(r.sent)
        elif got[2] != str(r.sent).encode():
            r.never(f"the transaction {r.sent} answered {got}")
    r.reconnects = int(c.client_id() != first)


def pubsub(r):
    c, last = client(), 0
    p = c.pubsub(ignore_subscribe_messages=True)
    p.subscribe(f"{name}:channel")
    p.get_message(timeout=5)
    connection = id(p.connection._sock)
    while going():
        r.sent += 1
        ok, heard = r.call(c.publish, f"{name}:channel", r.sent)
        while ok and heard:
            ok, m = r.call(lambda: p.get_message(timeout=5), waits=True)
            if not ok:
                break
            if not m:
                r.never(f"message {r.sent} was heard by {heard} and has not come")
                break
            if int(m["data"]) <= last:
                r.never(f"message {m['data']} after {last}")
            r.figures["missed"] += int(m["data"]) - last - 1
            last = int(m["data"])
            if last == r.sent:
                break
    r.reconnects = int(id(p.connection._sock) != connection)


def blocking(r):
    c, popped, key = client(), [], f"{name}:queue"

    def pop():
        mine = client()
        while True:
            ok, got = r.call(lambda: mine.blpop(key, 5), waits=True)
            if ok and got and got[1] == b"end":
                return
            if ok and got:
                popped.append(int(got[1]))

    t = threading.Thread(target=pop, daemon=True)
    t.start()
    while going():
        r.sent += 1
        if not r.call(c.rpush, key, r.sent)[0]:
            r.doubt.append(r.sent)
    insist(r, c.rpush, key, "end")
    t.join(30)
    counted = collections.Counter(popped)
    r.lost = sum(1 for n in range(1, r.sent + 1) if not counted[n] and n not in r.doubt)
    r.doubled = sum(1 for n in counted if counted[n] > 1)
    if t.is_alive():
        r.never("the last elements were not popped")
    if popped != sorted(popped):
        r.never("the elements came out of order")


def in_threads(run, n=4):
    ts = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    [t.start() for t in ts]
    [t.join() for t in ts]


def watch(r):
    """A counter that several threads advance with WATCH, GET, MULTI, SET, EXEC."""
    key, lock, highest = f"{name}:watched", threading.Lock(), [0]

    def one_more(p):
        with lock:
            known = r.figures["counted"] + r.figures["in doubt"]
        value = int(p.get(key) or 0)
        with lock:
            if value < highest[0]:
                print(f"{time.strftime('%T')} the counter is {value} after {highest[0]}, {known} counted", file=sys.stderr, flush=True)
            highest[0] = value
        p.multi()
        p.set(key, value + 1)

    def run(_):
        c = client()
        while going():
            ok, _ = r.call(lambda: c.transaction(one_more, key))
            with lock:
                r.figures["counted" if ok else "in doubt"] += 1

    in_threads(run, 3)
    value = int(client().get(key) or 0)
    r.lost = max(0, r.figures["counted"] - value)
    r.doubled = max(0, value - r.figures["counted"] - r.figures["in doubt"])


UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


def locks(r):
    """SET NX PX and a release by script. Who holds the lock notes that here, where no Redis is needed."""
    key, valid, guard, holder = f"{name}:lock", 6.0, threading.Lock(), [None, 0.0]

    def hold(me, until):
        with guard:
            if holder[0] is not None and holder[1] > time.monotonic():
                r.figures["held by two"] += 1
            holder[:] = me, until
            r.figures["taken"] += 1
        time.sleep(2 if random.random() < 0.01 else random.random() / 50)
        with guard:
            if holder[0] == me:
                holder[0] = None

    def run(_):
        c = client()
        unlock = c.register_script(UNLOCK)
        while going():
            me, began = str(uuid.uuid4()), time.monotonic()
            ok, got = r.call(lambda: c.set(key, me, nx=True, px=int(valid * 1000)))
            if ok and got:
                hold(me, began + valid)
                r.call(lambda: unlock(keys=[key], args=[me]))

    in_threads(run)


def stream(r):
    """A consumer group: every entry is read, confirmed, and none is forgotten."""
    c, key, seen, guard, ended = client(), f"{name}:stream", collections.Counter(), threading.Lock(), threading.Event()
    r.call(lambda: c.xgroup_create(key, "group", "0", mkstream=True))
    while not r.call(lambda: c.xinfo_groups(key))[1]:  # the first one may have been in doubt
        r.call(lambda: c.xgroup_create(key, "group", "0", mkstream=True))

    def consume(i):
        mine, start = client(), ">"
        while True:
            ok, got = r.call(lambda: mine.xreadgroup("group", f"consumer-{i}", {key: start}, count=10, block=500), waits=True)
            if not ok:
                start = "0"  # what was given to us and did not come is there
                continue
            entries = got[0][1] if got else []
            for entry, fields in entries:
                if fields:
                    with guard:
                        seen[int(fields[b"n"])] += 1
                insist(r, mine.xack, key, "group", entry)
            if not entries and start == ">" and ended.is_set():
                return
            start = ">" if not entries else start

    consumers = [threading.Thread(target=consume, args=(i,)) for i in range(2)]
    [t.start() for t in consumers]
    while going():
        r.sent += 1
        if not r.call(c.xadd, key, {"n": r.sent})[0]:
            r.doubt.append(r.sent)
    ended.set()
    [t.join() for t in consumers]
    there = collections.Counter(int(f[b"n"]) for _, f in c.xrange(key))
    r.lost = sum(1 for n in range(1, r.sent + 1) if n not in r.doubt and not seen[n])
    r.doubled = sum(1 for n in there if there[n] > 1)
    r.figures["read again"] = sum(1 for n in seen if seen[n] > there[n])
    forgotten = [n for n in there if not seen[n]]
    if forgotten or c.xpending(key, "group")["pending"]:
        r.never(f"{len(forgotten)} entries were never read, {c.xpending(key, 'group')} are not confirmed")


def asynchronous(r):
    async def run():
        c, r.list = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"]), f"{name}:async"
        while not over.is_set():
            r.sent += 1
            began = time.monotonic()
            try:
                await c.rpush(r.list, r.sent)
            except redis.RedisError as e:
                r.tell(e)
                r.doubt.append(r.sent)
            r.slowest = max(r.slowest, time.monotonic() - began)
            await asyncio.sleep(0.01)
        await c.close()

    asyncio.run(run())


ACTS = (writes, transactions, pubsub, blocking, watch, locks, stream, asynchronous)


def play(act):
    r = Report(act.__name__)
    try:
        act(r)
    except Exception as e:
        r.never(f"{type(e).__name__}: {e}")
    r.print()


client().ping()
if os.environ.get("PARSER") == "hiredis" and not HIREDIS_AVAILABLE:
    sys.exit("there is no hiredis")
players = [threading.Thread(target=play, args=(a,)) for a in ACTS if not sys.argv[2:] or a.__name__ in sys.argv[2:]]
[t.start() for t in players]
print("ready", flush=True)
sys.stdin.read()
over.set()
[t.join() for t in players]
