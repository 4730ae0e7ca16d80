"""What apps use of Celery with Redis, against a worker process and 127.0.0.1:6379."""

import atexit
import subprocess
import sys
import tempfile
import threading
import time

import redis
from celery import chain, chord, group
from celery.exceptions import TimeoutError
from celery.result import AsyncResult
from celery_app import add, app, fail, progress, silent, size, sleep, stubborn, total
from report import run_all, test

here = sys.path[0]
log = tempfile.NamedTemporaryFile("w+", prefix="celery-worker-", suffix=".log")
broker = redis.Redis()


def eventually(condition, seconds=15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        got = condition()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError("it does not come about")


@test
def the_worker_answers_ping():
    assert eventually(lambda: app.control.ping(timeout=1), 30)


@test
def results():
    assert add.delay(1, 2).get(timeout=10) == 3
    results = [add.delay(n, n) for n in range(100)]
    assert [r.get(timeout=20) for r in results] == [2 * n for n in range(100)]


@test
def failures():
    r = fail.delay()
    try:
        r.get(timeout=10)
        raise AssertionError("no error")
    except ValueError as e:
        assert str(e) == "as asked" and r.state == "FAILURE"


@test
def retries():
    assert stubborn.delay().get(timeout=20) == 2


@test
def countdown():
    start = time.monotonic()
    assert add.apply_async((1, 1), countdown=1).get(timeout=15) == 2
    assert time.monotonic() - start >= 0.9


@test
def chains():
    assert chain(add.s(1, 1), add.s(10), add.s(100))().get(timeout=15) == 112


@test
def groups():
    assert group(add.s(n, 1) for n in range(20))().get(timeout=20) == list(range(1, 21))


@test
def chords():
    for _ in range(3):
        assert chord((add.s(n, n) for n in range(15)), total.s())().get(timeout=20) == sum(2 * n for n in range(15))


@test
def chord_with_a_failure():
    r = chord([add.s(1, 1), fail.s()], total.s())()
    try:
        r.get(timeout=15)
        raise AssertionError("no error")
    except Exception as e:
        assert "as asked" in str(e) or "ChordError" in type(e).__name__, e


@test
def states_while_running():
    r = progress.delay()
    eventually(lambda: r.state == "HALF" and r.info == {"done": 50})
    assert r.get(timeout=10) == 100


@test
def revoke():
    r = sleep.apply_async((30,))
    eventually(lambda: any(t for ts in (app.control.inspect(timeout=1).active() or {}).values() for t in ts if t["id"] == r.id))
    r.revoke(terminate=True)
    eventually(lambda: r.state == "REVOKED")


@test
def inspect():
    i = app.control.inspect(timeout=2)
    assert i.registered() and i.stats() and i.active_queues() and i.scheduled() is not None


@test
def waiting_has_a_limit():
    r = sleep.delay(2)
    try:
        r.get(timeout=0.3)
        raise AssertionError("no time-out")
    except TimeoutError:
        pass
    assert r.get(timeout=10) == 2


@test
def results_are_kept_and_forgotten():
    r = add.delay(5, 5)
    assert r.get(timeout=10) == 10 and AsyncResult(r.id, app=app).result == 10
    assert 0 < redis.Redis(db=1).ttl(f"celery-task-meta-{r.id}") <= 86400
    r.forget()
    assert AsyncResult(r.id, app=app).state == "PENDING"
    silent.delay()


@test
def large_arguments():
    assert size.delay("x" * 3_000_000).get(timeout=20) == 3_000_000


@test
def callbacks_and_errbacks():
    r = add.apply_async((1, 1), link=add.s(5))
    assert r.get(timeout=10) == 2
    assert eventually(lambda: r.children)[0].get(timeout=10) == 7


@test
def events():
    assert eventually(lambda: app.control.ping(timeout=1), 30)
    got = []

    def stop():
        receiver.should_stop = True

    def succeeded(event):
        got.append(event["uuid"])
        if event["uuid"] == "watched":
            stop()

    with app.connection() as c:
        receiver = app.events.Receiver(c, handlers={"task-succeeded": succeeded})
        app.control.enable_events()
        # The receiver listens only while it captures.
        timers = [threading.Timer(1, add.apply_async, ((1, 1),), {"task_id": "watched"}), threading.Timer(15, stop)]
        [t.start() for t in timers]
        receiver.capture(limit=None, wakeup=False)
        [t.cancel() for t in timers]
    app.control.disable_events()
    assert "watched" in got


@test
def threads_that_wait():
    got = []

    def work(n):
        got.append(add.delay(n, 0).get(timeout=20))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(got) == list(range(8))


@test
def the_worker_complains_of_nothing():
    log.seek(0)
    lines = log.read().splitlines()
    bad = [l for l in lines if "redis.exceptions" in l or "Connection to broker lost" in l or "CRITICAL" in l]
    assert not bad, bad[:5]


broker.flushall()
worker = subprocess.Popen(
    [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--concurrency", "2", "--loglevel", "INFO"],
    cwd=here, stdout=log, stderr=subprocess.STDOUT,
)
atexit.register(lambda: (worker.terminate(), worker.wait(20)))
run_all()
