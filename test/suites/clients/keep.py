"""redis-py, RQ and Celery with their defaults for SECONDS, during which the master changes.

    keep.py SECONDS

No command may fail, no connection may be lost, and no worker may complain.
"""

import asyncio
import operator
import os
import subprocess
import sys
import tempfile
import threading
import time

import redis
import redis.asyncio
from report import line
from rq import Queue

here = os.path.dirname(os.path.abspath(__file__))
until = time.monotonic() + float(sys.argv[1])


def going():
    time.sleep(0.005)
    return time.monotonic() < until


def one_more(p):
    """The body of a WATCH loop, which redis-py repeats if EXEC answers nil, as it may at a failover."""
    value = int(p.get("py:watched") or 0)
    p.multi()
    p.set("py:watched", value + 1)


def commands():
    r = redis.Redis()
    first, n = r.client_id(), 0
    while going():
        n += 1
        assert r.incr("py:n") == n
        with r.pipeline() as p:
            assert p.rpush("py:list", n).get("py:n").execute() == [n, str(n).encode()]
        assert r.transaction(one_more, "py:watched") == [True]
    assert r.client_id() == first, "another connection"
    assert r.llen("py:list") == n and int(r.get("py:watched")) == n


def pubsub():
    r = redis.Redis()
    p = r.pubsub(ignore_subscribe_messages=True)
    p.subscribe("py:channel")
    p.get_message(timeout=5)
    last = sent = missing = 0
    connection = id(p.connection._sock)
    while going():
        sent += 1
        if r.publish("py:channel", sent):
            m = p.get_message(timeout=5)
            assert m, f"message {sent} has not come"
            missing += int(m["data"]) - last - 1
            last = int(m["data"])
    assert last == sent and missing <= sent / 10, (last, sent, missing)
    assert id(p.connection._sock) == connection, "another connection"


def blocking():
    r, failed = redis.Redis(), []

    def pop():
        c, n = redis.Redis(), 0
        try:
            while True:
                value = c.blpop("py:queue")[1]
                if value == b"end":
                    return
                n += 1
                assert int(value) == n, (value, n)
        except Exception as e:
            failed.append(e)

    t = threading.Thread(target=pop, daemon=True)
    t.start()
    n = 0
    while going():
        n += 1
        r.rpush("py:queue", n)
    r.rpush("py:queue", "end")
    t.join(10)
    if failed:
        raise failed[0]
    assert not t.is_alive(), "the last elements were not popped"


def asynchronous():
    async def run():
        c, n = redis.asyncio.Redis(), 0
        while time.monotonic() < until:
            n += 1
            assert await c.incr("async:n") == n
            async with c.pipeline() as p:
                assert await p.rpush("async:list", n).execute() == [n]
            await asyncio.sleep(0.005)
        await c.close()

    asyncio.run(run())


def complaints(log, ignored=()):
    log.seek(0)
    signs = ("Error", "Traceback", "WARNING", "CRITICAL")
    return [l for l in log.read().splitlines() if any(s in l for s in signs) and not any(i in l for i in ignored)]


def rq():
    q, log = Queue("keep", connection=redis.Redis()), tempfile.TemporaryFile("w+")
    worker = subprocess.Popen(["/usr/bin/rq", "worker", "keep"], stdout=log, stderr=subprocess.STDOUT)
    try:
        jobs = []
        while going():
            jobs.append(q.enqueue(operator.add, len(jobs), 1))
            time.sleep(0.2)
        end = time.monotonic() + 30
        while time.monotonic() < end and not all(j.get_status(refresh=True) == "finished" for j in jobs):
            time.sleep(0.1)
        assert [j.result for j in jobs] == list(range(1, len(jobs) + 1)), [j.get_status() for j in jobs]
    finally:
        worker.terminate()
        worker.wait(20)
    assert not complaints(log), complaints(log)[:3]


def celery():
    from celery_app import add

    log = tempfile.TemporaryFile("w+")
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--concurrency", "1", "--loglevel", "WARNING"],
        cwd=here, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "C_FORCE_ROOT": "1"},
    )
    try:
        results = []
        while going():
            results.append(add.delay(len(results), 1))
            time.sleep(0.1)
        assert [r.get(timeout=30) for r in results] == list(range(1, len(results) + 1))
    finally:
        worker.terminate()
        worker.wait(20)
    bad = complaints(log, ignored=("SecurityWarning", "superuser privileges", "RuntimeWarning"))
    assert not bad, bad[:3]


def check(name, run):
    try:
        run()
    except BaseException as e:
        line("fail", name, f"{type(e).__name__}: {e}")
    else:
        line("pass", name)


threads = [
    threading.Thread(target=check, args=c)
    for c in [
        ("redis-py: commands, transactions", commands),
        ("redis-py: publish and subscribe", pubsub),
        ("redis-py: blocking", blocking),
        ("redis-py: asyncio", asynchronous),
        ("RQ: a worker", rq),
        ("Celery: a worker", celery),
    ]
]
[t.start() for t in threads]
[t.join() for t in threads]
