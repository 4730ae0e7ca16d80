"""Sends at least TASKS Celery tasks until its input ends, waits for every result, and says what became of them.

    celery_producer.py TASKS PER_SECOND

Short tasks, long ones (3 s), ones that retry, and chords. The app and its tasks are those of test/suites/clients.
"""

import collections
import json
import os
import sys
import threading
import time

from celery import chord
from celery.exceptions import TimeoutError
from celery.result import AsyncResult

from celery_app import app, count, total

tasks, rate = int(sys.argv[1]), float(sys.argv[2])
over = threading.Event()
told, slowest = collections.Counter(), 0.0
expected = {}  # id of a task -> its result
CHORD = 4  # tasks in the header of a chord


def wait_for_the_end():
    sys.stdin.read()
    over.set()


def send(n):
    """Sends the tasks from number n on, and gives how many."""
    if n % 20 == 5:
        header = [count.s(n + i).set(task_id=f"task-{n + i}") for i in range(CHORD)]
        chord(header, total.s().set(task_id=f"chord-{n}")).apply_async()
        expected[f"chord-{n}"] = sum(range(n, n + CHORD))
        expected.update({f"task-{n + i}": n + i for i in range(CHORD)})
        return CHORD
    count.apply_async((n, 3 if n % 40 == 1 else 0, 2 if n % 20 == 10 else 0), task_id=f"task-{n}")
    expected[f"task-{n}"] = n
    return 1


def send_surely(n):
    """An application that does not know whether its task was sent sends it again."""
    global slowest
    while True:
        began = time.monotonic()
        try:
            return send(n)
        except Exception as e:
            told[f"{type(e).__name__}: {e}"[:160]] += 1
        finally:
            slowest = max(slowest, time.monotonic() - began)


def results():
    """How the tasks ended, each waited for as an application does."""
    ended, wrong, patience = collections.Counter(), [], 60
    for task, want in expected.items():
        result = AsyncResult(task, app=app)
        try:
            got = result.get(timeout=patience)
            ended["right" if got == want else "wrong"] += 1
        except TimeoutError:
            got, patience = f"no result, {result.state}", 1
            ended["found late" if result.state == "SUCCESS" else "missing"] += 1
        except Exception as e:
            got = f"{type(e).__name__}: {e}"
            ended["failed"] += 1
        if got != want and len(wrong) < 10:
            wrong.append(f"{task}: {got}")
    return ended, wrong


def runs():
    counted = collections.Counter()
    for name in os.listdir(os.environ["RUNS"]):
        with open(os.path.join(os.environ["RUNS"], name)) as f:
            counted.update(int(line) for line in f)
    return counted


threading.Thread(target=wait_for_the_end, daemon=True).start()
app.connection().ensure_connection(max_retries=3)
print("ready", flush=True)
sent, due = 0, time.monotonic()
while sent < tasks or not over.is_set():
    sent += send_surely(sent + 1)
    due += 1 / rate
    time.sleep(max(0, due - time.monotonic()) if not over.is_set() else 0)
over.wait()
ended, wrong = results()
ran = runs()
print(json.dumps({
    "act": "tasks", "sent": sent, "told": told, "slowest": slowest, "wrong": wrong,
    "figures": {
        "results": len(expected), **ended,
        "run once": sum(1 for n in range(1, sent + 1) if ran[n] == 1),
        "run twice": sum(1 for n in range(1, sent + 1) if ran[n] > 1),
        "never run": sum(1 for n in range(1, sent + 1) if not ran[n]),
    },
}))
