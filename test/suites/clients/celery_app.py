"""The app of celery_use.py and of test/clients: Redis as broker and for results, else Celery's defaults."""

import os
import time

from celery import Celery, shared_task

url = os.environ.get("REDIS_URL", "redis://localhost:6379")
app = Celery("suite", broker=f"{url}/0", backend=f"{url}/1")
app.set_default()  # for every thread


@shared_task
def add(x, y):
    return x + y


@shared_task
def total(numbers):
    return sum(numbers)


@shared_task
def fail():
    raise ValueError("as asked")


@shared_task(bind=True, max_retries=3)
def stubborn(self):
    if self.request.retries < 2:
        raise self.retry(countdown=0.1)
    return self.request.retries


@shared_task
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@shared_task
def size(text):
    return len(text)


@shared_task(bind=True)
def progress(self):
    self.update_state(state="HALF", meta={"done": 50})
    time.sleep(1)
    return 100


@shared_task(ignore_result=True)
def silent():
    return 1


@shared_task(bind=True, max_retries=3)
def count(self, n, seconds=0, tries=0):
    """Leaves a line in a file, so that runs can be counted without Redis."""
    if self.request.retries < tries:
        raise self.retry(countdown=0.1)
    time.sleep(seconds)
    with open(os.path.join(os.environ["RUNS"], str(os.getpid())), "a") as f:
        f.write(f"{n}\n")
    return n
