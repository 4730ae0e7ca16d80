"""Enqueues at least JOBS RQ jobs until its input ends, waits until they are done, and says what became of them.

    rq_producer.py JOBS PER_SECOND

Short jobs, long ones (3 s), scheduled ones and ones that depend on the one before. An enqueueing that is in
doubt is looked up, as an application can: the job has an id of its own, and is there or not.
"""

import collections
import datetime
import json
import os
import sys
import threading
import time

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry

from rq_jobs import work

jobs, rate = int(sys.argv[1]), float(sys.argv[2])
redis = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue(connection=redis)
over = threading.Event()
told, slowest = collections.Counter(), 0.0


def wait_for_the_end():
    sys.stdin.read()
    over.set()


def enqueue(n):
    """One job. Its kind depends on its number only."""
    with_id = dict(job_id=f"job-{n}", result_ttl=-1, failure_ttl=-1)
    if n % 40 == 1:
        queue.enqueue(work, n, 3, **with_id)
    elif n % 10 == 2:
        queue.enqueue_in(datetime.timedelta(seconds=1 + n % 3), work, n, 0, **with_id)
    elif n % 10 == 3:
        queue.enqueue(work, n, 0, depends_on=f"job-{n - 2}", **with_id)
    else:
        queue.enqueue(work, n, 0, **with_id)


def enqueue_surely(n):
    global slowest
    while True:
        began = time.monotonic()
        try:
            if not told or not Job.exists(f"job-{n}", connection=redis):
                enqueue(n)
            return
        except RedisError as e:
            told[f"{type(e).__name__}: {e}"[:160]] += 1
        finally:
            slowest = max(slowest, time.monotonic() - began)


def statuses(numbers):
    with redis.pipeline(transaction=False) as p:
        for n in numbers:
            p.hget(f"rq:job:job-{n}", "status")
        return [(s or b"missing").decode() for s in p.execute()]


def settle(count):
    """Waits until every job is finished, or nothing has changed for 20 s."""
    before, since = None, time.monotonic()
    while True:
        now = collections.Counter(statuses(range(1, count + 1)))
        if now["finished"] == count or time.monotonic() - since > 20:
            return now
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.2)


def runs():
    counted = collections.Counter()
    for name in os.listdir(os.environ["RUNS"]):
        with open(os.path.join(os.environ["RUNS"], name)) as f:
            counted.update(int(line) for line in f)
    return counted


threading.Thread(target=wait_for_the_end, daemon=True).start()
redis.ping()
print("ready", flush=True)
count, due = 0, time.monotonic()
while count < jobs or not over.is_set():
    count += 1
    enqueue_surely(count)
    due += 1 / rate
    time.sleep(max(0, due - time.monotonic()) if not over.is_set() else 0)
over.wait()
status, ran = settle(count), runs()
print(json.dumps({
    "act": "jobs", "sent": count, "told": told, "slowest": slowest,
    "figures": {
        "finished": status["finished"], "failed": status["failed"],
        "unfinished": count - status["finished"] - status["failed"],
        "stuck in started": redis.zcard(StartedJobRegistry(connection=redis).key),
        "run once": sum(1 for n in range(1, count + 1) if ran[n] == 1),
        "run twice": sum(1 for n in range(1, count + 1) if ran[n] > 1),
        "never run": sum(1 for n in range(1, count + 1) if not ran[n]),
    },
    "wrong": [f"job {n}: {s}, run {ran[n]} times" for n, s in zip(range(1, count + 1), statuses(range(1, count + 1)))
              if s != "finished" or ran[n] != 1][:10],
}))
